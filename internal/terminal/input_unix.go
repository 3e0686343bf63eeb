//go:build linux || darwin || freebsd

package terminal

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Input reads a descriptor that other programs may share, such as stdin. It
// waits (poll) before each read instead of making the descriptor
// non-blocking, so that when reading ends no read is left behind to swallow
// the next keystroke. It works for terminals, pipes, sockets, files and
// /dev/null alike. One goroutine may Read at a time.
type Input struct {
	fd     int
	cancel *waker
	mu     sync.Mutex // held by Read; Close waits for it
}

// NewInput returns an Input for fd, which stays the caller's: he keeps it open
// until Close has returned, and closes it.
func NewInput(fd int) (*Input, error) {
	cancel, err := newWaker()
	if err != nil {
		return nil, err
	}
	return &Input{fd: fd, cancel: cancel}, nil
}

// Read reads what is there, waiting for at least one byte. At the end of the
// input it returns io.EOF, after Cancel or Close [ErrCanceled]; data that
// arrives later is left for the next reader of the descriptor.
func (in *Input) Read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := in.cancel.wait(in.fd, forReading); err != nil {
			return 0, err
		}
		n, err := unix.Read(in.fd, p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			// EAGAIN: the descriptor was made non-blocking by somebody
			// else, and another reader was faster.
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Cancel ends a Read in progress and every later one with ErrCanceled. It does
// not wait.
func (in *Input) Cancel() { in.cancel.wake() }

// Close cancels, waits for a Read in progress to return and gives the wake
// pipe back. It may be called more than once.
func (in *Input) Close() error {
	in.cancel.wake()
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cancel.close()
}
