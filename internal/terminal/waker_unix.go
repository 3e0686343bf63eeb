//go:build linux || darwin || freebsd

package terminal

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// direction is what a waker waits for.
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

// wait returns nil when fd is ready, or when reading or writing it would give
// an end or an error; and ErrCanceled once woken, even if fd is ready too.
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

// wake ends the waits, those to come as well: the byte is never read.
func (k *waker) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.woken || k.closed {
		return
	}
	k.woken = true
	close(k.done)
	unix.Write(k.w, []byte{0}) // an empty pipe takes a byte
}

// close must not run beside wait.
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
