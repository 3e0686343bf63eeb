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
//
// Another reader of the same descriptor may take what poll has announced. Where
// the system permits it, Read does not block then either: a terminal is opened
// once more, and pipes and sockets are read with RWF_NOWAIT.
type Input struct {
	fd     int
	cancel *waker
	mu     sync.Mutex // held by Read; Close waits for it
	own    bool       // fd was opened here, non-blocking
	now    bool       // readNow is worth a try
}

// NewInput returns an Input for fd, which stays the caller's: he keeps it open
// until Close has returned, and closes it.
func NewInput(fd int) (*Input, error) {
	cancel, err := newWaker()
	if err != nil {
		return nil, err
	}
	in := &Input{fd: fd, cancel: cancel}
	if own, ok := reopen(fd, unix.O_RDONLY); ok {
		in.fd, in.own = own, true
		return in, nil
	}
	kind := fileKind(fd)
	in.now = kind == unix.S_IFIFO || kind == unix.S_IFSOCK // a file may answer EAGAIN for ever
	return in, nil
}

// fileKind returns the type bits of fd's mode, 0 if it has none.
func fileKind(fd int) uint32 {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil {
		return 0
	}
	return uint32(stat.Mode) & unix.S_IFMT
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
		n, err := in.readSome(p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			// EAGAIN: another reader was faster.
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// readSome reads once. It falls back to read(2) where RWF_NOWAIT is unknown.
func (in *Input) readSome(p []byte) (int, error) {
	if in.now {
		n, err := readNow(in.fd, p)
		if err == nil || err == unix.EAGAIN || err == unix.EINTR {
			return n, err
		}
		in.now = false
	}
	return unix.Read(in.fd, p)
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
	if in.own {
		unix.Close(in.fd)
		in.own = false // and no Read gets past cancel any more
	}
	return in.cancel.close()
}
