package agentfwd

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// platformDefault is the pipe of the agent service that Windows brings.
const platformDefault = `\\.\pipe\openssh-ssh-agent`

// pipeRetry is the pause while every instance of a pipe is taken.
const pipeRetry = 20 * time.Millisecond

// dialAddress opens the named pipe of an agent; an address of another form is
// a Unix socket, which Windows has too.
func dialAddress(ctx context.Context, address string) (net.Conn, error) {
	if !strings.HasPrefix(strings.ReplaceAll(address, "/", `\`), `\\.\pipe\`) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", address)
	}
	name, err := windows.UTF16PtrFromString(address)
	if err != nil {
		return nil, err
	}
	for {
		// The agent may learn who we are, but not act as us. Overlapped, so
		// that a Close ends a read.
		handle, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil,
			windows.OPEN_EXISTING,
			windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
		if err == nil {
			return &pipeConn{File: os.NewFile(uintptr(handle), address)}, nil
		}
		if !errors.Is(err, windows.ERROR_PIPE_BUSY) {
			return nil, &os.PathError{Op: "open", Path: address, Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pipeRetry):
		}
	}
}

// pipeConn makes a net.Conn of the open pipe.
type pipeConn struct{ *os.File }

func (p *pipeConn) LocalAddr() net.Addr  { return pipeAddr(p.Name()) }
func (p *pipeConn) RemoteAddr() net.Addr { return pipeAddr(p.Name()) }

// pipeAddr is the name of a pipe.
type pipeAddr string

func (a pipeAddr) Network() string { return "pipe" }
func (a pipeAddr) String() string  { return string(a) }
