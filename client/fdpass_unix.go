//go:build unix

package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// passedConn runs line by the user's shell with a socket as its standard input
// and output, receives one descriptor over it, and waits for the process. The
// exit status is ignored, as in ssh.
func passedConn(ctx context.Context, shell, line string, stderr *os.File) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	cmd := shellCommand(shell, line)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	if stderr != nil {
		cmd.Stderr = stderr
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { ours.Close(); hangUp(cmd.Process) })
	defer stop()
	conn, err := receiveConn(ours)
	if err != nil {
		hangUp(cmd.Process)
	}
	if werr := waitDialer(ctx, cmd); werr != nil && conn != nil {
		conn.Close()
		conn = nil
	}
	if ended := contextError(ctx); ended != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, ended
	}
	return conn, err
}

// waitDialer waits for the process. If ctx ends, it kills the process.
func waitDialer(ctx context.Context, cmd *exec.Cmd) error {
	waited := make(chan struct{})
	go func() { // ends with the process
		cmd.Wait()
		close(waited)
	}()
	select {
	case <-waited:
		return nil
	case <-ctx.Done():
		cmd.Process.Kill()
		<-waited
		return contextError(ctx)
	}
}

// socketPair returns a connected pair; theirs is for a child process.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	first := os.NewFile(uintptr(fds[0]), "proxy")
	defer first.Close() // FileConn takes a duplicate
	theirs = os.NewFile(uintptr(fds[1]), "proxy")
	conn, err := net.FileConn(first)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// receiveConn receives a message with one descriptor.
func receiveConn(from *net.UnixConn) (net.Conn, error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4*4))
	n, cn, _, _, err := from.ReadMsgUnix(data, control)
	if err != nil || n != 1 {
		return nil, ErrNoDescriptor
	}
	fds, err := passedDescriptors(control[:cn])
	if err != nil || len(fds) == 0 {
		return nil, ErrNoDescriptor
	}
	for _, fd := range fds[1:] {
		unix.Close(fd)
	}
	file := os.NewFile(uintptr(fds[0]), "proxied")
	defer file.Close() // FileConn takes a duplicate
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDescriptor, err)
	}
	return conn, nil
}

// passedDescriptors returns the descriptors in control messages, with
// close-on-exec set.
func passedDescriptors(control []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		rights, rerr := unix.ParseUnixRights(&m)
		if rerr != nil {
			err = rerr
			continue
		}
		fds = append(fds, rights...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fds, err
}
