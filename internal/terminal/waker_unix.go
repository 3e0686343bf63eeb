//go:build linux || darwin || freebsd

package terminal

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A direction is the operation that a descriptor must be ready for.
type direction bool

const (
	forReading direction = false
	forWriting direction = true
)

// A waker is a pipe that interrupts a wait for another descriptor.
type waker struct {
	r, w int           // constant until close
	done chan struct{} // closed by wake

	mu     sync.Mutex
	woken  bool
	closed bool
}

func newWaker() (*waker, error) {
	fds, err := wakePipe()
	if err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	return &waker{r: fds[0], w: fds[1], done: make(chan struct{})}, nil
}

// wait blocks until fd is ready, at its end or in error, and returns nil. After
// wake it returns ErrCanceled, even if fd is ready too.
func (k *waker) wait(fd int, dir direction) error {
	if k.canceled() {
		return ErrCanceled
	}
	for {
		woken, err := waitFor(fd, dir, k.r)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if woken {
			return ErrCanceled
		}
		return nil
	}
}

// canceled reports whether wake or close was called.
func (k *waker) canceled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.woken || k.closed
}

// wake ends all current and later waits. The byte in the pipe is never read.
func (k *waker) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.woken || k.closed {
		return
	}
	k.woken = true
	close(k.done)
	unix.Write(k.w, []byte{0}) // cannot block: the pipe is empty
}

// close closes the pipe. It must not run at the same time as wait.
func (k *waker) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	unix.Close(k.r)
	return os.NewSyscallError("close", unix.Close(k.w))
}
