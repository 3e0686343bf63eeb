//go:build linux || darwin || freebsd

package terminal

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// outputChunk is how much is written at once to a descriptor that says it is
// writable: PIPE_BUF, what a pipe that is ready takes without blocking.
const outputChunk = 4096

// Output writes to a descriptor that other programs may share, such as stdout.
// It waits (poll) until the descriptor takes data, so that Cancel ends a Write to
// a full pipe or a stopped terminal, and a descriptor that somebody else made
// non-blocking does not make it spin or fail.
// Several goroutines may Write; each Write is whole.
//
// A reader that has gone away is the error EPIPE (errors.Is(err,
// syscall.EPIPE)), also on descriptors 1 and 2: the write(2) made here does
// not raise SIGPIPE in a Go program, as a write to os.Stdout does.
type Output struct {
	fd     int
	cancel *waker
	chunk  int

	mu       sync.Mutex // held by Write; Close waits for it
	pollOnly bool       // writeNow does not work here
}

// NewOutput returns an Output for fd, which stays the caller's: he keeps it
// open until Close has returned, and closes it.
func NewOutput(fd int) (*Output, error) {
	cancel, err := newWaker()
	if err != nil {
		return nil, err
	}
	out := &Output{fd: fd, cancel: cancel, chunk: outputChunk}
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFREG {
		out.chunk = 1 << 20 // a file never makes us wait for a reader
	}
	return out, nil
}

// Write writes all of p. After Cancel or Close it returns [ErrCanceled] and how
// much was written.
func (out *Output) Write(p []byte) (int, error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	written := 0
	for written < len(p) {
		n, err := out.writeSome(p[written:])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// writeSome writes a part of p, or nothing if it is worth another try.
func (out *Output) writeSome(p []byte) (int, error) {
	if !out.pollOnly {
		if out.cancel.canceled() {
			return 0, ErrCanceled
		}
		n, err := writeNow(out.fd, p)
		if err == nil {
			return n, nil
		}
		// Whatever else is wrong, write(2) will say it.
		out.pollOnly = err != unix.EAGAIN && err != unix.EINTR
	}
	if err := out.cancel.wait(out.fd, forWriting); err != nil {
		return 0, err
	}
	if !out.pollOnly {
		return 0, nil
	}
	n, err := unix.Write(out.fd, p[:min(len(p), out.chunk)])
	switch err {
	case nil:
		return n, nil
	case unix.EINTR, unix.EAGAIN:
		return 0, nil
	}
	return 0, os.NewSyscallError("write", err)
}

// Cancel ends a Write in progress and every later one with ErrCanceled. It does
// not wait.
func (out *Output) Cancel() { out.cancel.wake() }

// Close cancels, waits for a Write in progress to return and gives the wake
// pipe back. It may be called more than once.
func (out *Output) Close() error {
	out.cancel.wake()
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.cancel.close()
}
