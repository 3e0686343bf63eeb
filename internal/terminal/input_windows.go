package terminal

import (
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/sys/windows"
)

// cancelRetry is how often a pending read or write is cancelled until it has
// returned: a first try may come just before the call blocks.
const cancelRetry = 10 * time.Millisecond

// Input reads a handle, such as stdin: a console (UTF-16 there, UTF-8 here), a
// pipe or a file. One goroutine may Read at a time.
//
// Windows has no poll that serves all of them, so Read blocks in the system
// call and Cancel ends it with CancelIoEx, which reaches every read that this
// process has pending on the handle.
type Input struct {
	pending canceler
	fd      windows.Handle
	console bool
	rest    []byte // UTF-8 of characters that did not fit
	high    uint16 // first half of a surrogate pair
}

// NewInput returns an Input for fd, which stays the caller's: he keeps it open
// until Close has returned, and closes it.
func NewInput(fd int) (*Input, error) {
	return &Input{fd: windows.Handle(fd), console: IsTerminal(fd), pending: newCanceler(fd)}, nil
}

// Read reads what is there, waiting for at least one byte. At the end of the
// input it returns io.EOF, after Cancel or Close [ErrCanceled].
func (in *Input) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !in.pending.begin() {
		return 0, ErrCanceled
	}
	defer in.pending.end()
	if in.console {
		return in.readConsole(p)
	}
	var n uint32
	err := windows.ReadFile(in.fd, p, &n, nil)
	switch {
	case in.pending.canceled() && n == 0:
		return 0, ErrCanceled
	case errors.Is(err, windows.ERROR_BROKEN_PIPE), err == nil && n == 0:
		return 0, io.EOF
	case err != nil:
		return 0, err
	}
	return int(n), nil
}

// readConsole turns what the console gives into UTF-8. In line mode ^Z at the
// beginning of a line is the end of the input.
func (in *Input) readConsole(p []byte) (int, error) {
	for len(in.rest) == 0 {
		units := make([]uint16, 1024)
		var n uint32
		err := windows.ReadConsole(in.fd, &units[0], uint32(len(units)), &n, nil)
		switch {
		case in.pending.canceled():
			return 0, ErrCanceled
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		in.rest = in.decode(in.rest, units[:n])
		if in.rest[0] == 0x1a && in.lineMode() {
			in.rest = nil
			return 0, io.EOF
		}
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

func (in *Input) lineMode() bool {
	var mode uint32
	return windows.GetConsoleMode(in.fd, &mode) == nil && mode&windows.ENABLE_LINE_INPUT != 0
}

// decode appends units as UTF-8; half a pair at the end waits for its other
// half.
func (in *Input) decode(b []byte, units []uint16) []byte {
	for _, u := range units {
		r := rune(u)
		switch {
		case in.high != 0:
			r = utf16.DecodeRune(rune(in.high), r)
			in.high = 0
		case u >= 0xd800 && u < 0xdc00:
			in.high = u
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// Cancel ends a Read in progress and every later one with ErrCanceled.
func (in *Input) Cancel() { in.pending.cancel() }

// Close cancels and waits for a Read in progress to return. It may be called
// more than once.
func (in *Input) Close() error { return in.pending.close() }

// Output writes to a handle, such as stdout. Several goroutines may Write; each
// Write is whole.
type Output struct {
	pending canceler
	fd      windows.Handle
	mu      sync.Mutex
}

// NewOutput returns an Output for fd, which stays the caller's: he keeps it
// open until Close has returned, and closes it.
func NewOutput(fd int) (*Output, error) {
	return &Output{fd: windows.Handle(fd), pending: newCanceler(fd)}, nil
}

// Write writes all of p. After Cancel or Close it returns [ErrCanceled] and how
// much was written. While [MakeRaw] is in force a console takes UTF-8.
func (out *Output) Write(p []byte) (int, error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if !out.pending.begin() {
		return 0, ErrCanceled
	}
	defer out.pending.end()
	written := 0
	for written < len(p) {
		var n uint32
		err := windows.WriteFile(out.fd, p[written:], &n, nil)
		written += int(n)
		if out.pending.canceled() {
			return written, ErrCanceled
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Cancel ends a Write in progress and every later one with ErrCanceled.
func (out *Output) Cancel() { out.pending.cancel() }

// Close cancels and waits for a Write in progress to return. It may be called
// more than once.
func (out *Output) Close() error { return out.pending.close() }

// A canceler ends a call that is blocked on a handle.
type canceler struct {
	fd    windows.Handle
	state *cancelState
}

type cancelState struct {
	mu   sync.Mutex
	over bool          // canceled
	busy chan struct{} // closed when the call in progress ends; nil if none is
	kick sync.WaitGroup
}

func newCanceler(fd int) canceler {
	return canceler{fd: windows.Handle(fd), state: new(cancelState)}
}

// begin reports whether a call may be made.
func (c canceler) begin() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	if c.state.over {
		return false
	}
	c.state.busy = make(chan struct{})
	return true
}

func (c canceler) end() {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	close(c.state.busy)
	c.state.busy = nil
}

func (c canceler) canceled() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.over
}

func (c canceler) cancel() {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	if c.state.over {
		return
	}
	c.state.over = true
	if busy := c.state.busy; busy != nil {
		c.state.kick.Go(func() { c.interrupt(busy) })
	}
}

// interrupt ends when the call in progress has.
func (c canceler) interrupt(busy <-chan struct{}) {
	for {
		windows.CancelIoEx(c.fd, nil) // not found: not blocked yet
		select {
		case <-busy:
			return
		case <-time.After(cancelRetry):
		}
	}
}

func (c canceler) close() error {
	c.cancel()
	c.state.kick.Wait()
	return nil
}
