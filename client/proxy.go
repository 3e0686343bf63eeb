package client

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// commandConn is the net.Conn over a ProxyCommand's pipes. Pipes of the os
// package have working deadlines.
type commandConn struct {
	cmd  *exec.Cmd
	r, w *os.File

	closeOnce sync.Once
	waited    chan struct{} // closed when the process has been waited for
}

// startProxyCommand runs line by the user's shell with exec in front, as ssh
// does, so that the shell makes way for the program. The process ends with the
// connection: its standard input is closed and it gets SIGHUP.
func startProxyCommand(shell, line string, stderr *os.File) (*commandConn, error) {
	theirIn, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		w.Close()
		return nil, err
	}
	cmd := shellCommand(shell, line)
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	if stderr != nil {
		cmd.Stderr = stderr
	}
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	c := &commandConn{cmd: cmd, r: r, w: w, waited: make(chan struct{})}
	go c.reap()
	return c, nil
}

// reap ends when the process does, at the latest a moment after Close.
func (c *commandConn) reap() {
	c.cmd.Wait()
	close(c.waited)
}

func (c *commandConn) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *commandConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// proxyGrace is how long a ProxyCommand may take to leave after SIGHUP.
const proxyGrace = 2 * time.Second

// Close ends the process and waits for it.
func (c *commandConn) Close() error {
	c.closeOnce.Do(func() {
		c.w.Close()
		c.r.Close()
		hangUp(c.cmd.Process)
		select {
		case <-c.waited:
		case <-time.After(proxyGrace):
			c.cmd.Process.Kill()
			<-c.waited
		}
	})
	return nil
}

// CloseWrite closes the program's standard input.
func (c *commandConn) CloseWrite() error { return c.w.Close() }

func (c *commandConn) LocalAddr() net.Addr  { return proxyAddr{} }
func (c *commandConn) RemoteAddr() net.Addr { return proxyAddr{} }

func (c *commandConn) SetDeadline(t time.Time) error {
	return errors.Join(c.r.SetReadDeadline(t), c.w.SetWriteDeadline(t))
}
func (c *commandConn) SetReadDeadline(t time.Time) error  { return c.r.SetReadDeadline(t) }
func (c *commandConn) SetWriteDeadline(t time.Time) error { return c.w.SetWriteDeadline(t) }

// proxyAddr is the address of a peer that only the ProxyCommand knows. ssh
// calls it UNKNOWN, with port 65535.
type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxy" }
func (proxyAddr) String() string  { return "UNKNOWN:65535" }

var _ io.ReadWriteCloser = (*commandConn)(nil)

// dialProxyCommand is startProxyCommand under a context that is only looked
// at before: starting a process does not block.
func dialProxyCommand(ctx context.Context, shell, line string, stderr *os.File) (net.Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return startProxyCommand(shell, line, stderr)
}
