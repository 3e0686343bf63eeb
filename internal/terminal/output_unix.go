//go:build linux || darwin || freebsd

package terminal

import (
	"bytes"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outputChunk is how much is written at once to a descriptor that says it is
// writable: PIPE_BUF, what a pipe that is ready takes without blocking.
const outputChunk = 4096

// retryPause is the time between two tries of a write that was refused although
// poll had called the descriptor ready.
const retryPause = 5 * time.Millisecond

// Output writes to a descriptor that other programs may share, such as stdout.
// It waits (poll) until the descriptor takes data, so that Cancel ends a Write to
// a full pipe or a stopped terminal, and a descriptor that somebody else made
// non-blocking does not make it spin or fail.
// Several goroutines may Write; each Write is whole.
//
// A descriptor that poll calls ready may still block a write: a terminal that
// has room for less, or a pipe that another program fills first. So a terminal
// is opened once more, non-blocking, other descriptors are written with
// RWF_NOWAIT, and where neither works a goroutine does the write, which Cancel
// leaves behind.
//
// A reader that has gone away is the error EPIPE (errors.Is(err,
// syscall.EPIPE)), also on descriptors 1 and 2: the write(2) made here does
// not raise SIGPIPE in a Go program, as a write to os.Stdout does.
type Output struct {
	fd     int
	cancel *waker
	chunk  int

	mu   sync.Mutex // held by Write; Close waits for it
	mode writeMode
	own  bool // fd was opened here
}

// writeMode says how a write is kept from blocking.
type writeMode int

const (
	writeWaitless writeMode = iota // by RWF_NOWAIT, as long as that works
	writeOwn                       // the descriptor is ours and non-blocking
	writeFile                      // not at all: a file does not wait for a reader
	writeApart                     // by a goroutine of its own
)

// NewOutput returns an Output for fd, which stays the caller's: he keeps it
// open until Close has returned, and closes it.
func NewOutput(fd int) (*Output, error) {
	cancel, err := newWaker()
	if err != nil {
		return nil, err
	}
	out := &Output{fd: fd, cancel: cancel, chunk: outputChunk}
	if own, ok := reopen(fd, unix.O_WRONLY); ok {
		out.fd, out.own, out.mode = own, true, writeOwn
	} else if fileKind(fd) == unix.S_IFREG {
		out.mode, out.chunk = writeFile, 1<<20
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
	if out.mode == writeWaitless {
		if out.cancel.canceled() {
			return 0, ErrCanceled
		}
		n, err := writeNow(out.fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN, unix.EINTR:
			return 0, out.cancel.wait(out.fd, forWriting)
		}
		out.mode = writeApart // whatever else is wrong, write(2) will say it
	}
	if err := out.cancel.wait(out.fd, forWriting); err != nil {
		return 0, err
	}
	p = p[:min(len(p), out.chunk)]
	write := unix.Write
	if out.mode == writeApart {
		write = out.writeApart
	}
	n, err := write(out.fd, p)
	switch err {
	case nil:
		return n, nil
	case unix.EINTR:
		return 0, nil
	case unix.EAGAIN:
		return 0, out.pause()
	case ErrCanceled:
		return 0, err
	}
	return 0, os.NewSyscallError("write", err)
}

// pause waits a moment before the next try: Linux may call a terminal ready
// that takes nothing, and the wait for it would be a busy loop.
func (out *Output) pause() error {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-out.cancel.done:
		return ErrCanceled
	}
}

// writeApart is write(2), except that Cancel ends the wait for it. The write
// itself then goes on with a descriptor and a copy of its own until the reader
// takes it or goes away.
func (out *Output) writeApart(fd int, p []byte) (int, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	type written struct {
		n   int
		err error
	}
	result := make(chan written, 1)
	go func(p []byte) { // ends with the write
		n, err := unix.Write(dup, p)
		unix.Close(dup)
		result <- written{n, err}
	}(bytes.Clone(p))
	select {
	case w := <-result:
		return w.n, w.err
	case <-out.cancel.done:
		return 0, ErrCanceled
	}
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
	if out.own {
		unix.Close(out.fd)
		out.own = false // and no Write gets past cancel any more
	}
	return out.cancel.close()
}
