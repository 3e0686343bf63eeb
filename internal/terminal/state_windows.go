package terminal

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/windows"
)

// State is a console that MakeRaw has put into raw mode. Its methods may be
// called from several goroutines.
type State struct {
	fd    int
	saved uint32
	off   uint32 // the modes of saved that raw mode goes without

	mu  sync.Mutex
	raw bool
	out *consoleOutput // while raw; nil without a console to write to
}

// IsTerminal reports whether fd is a console.
func IsTerminal(fd int) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(fd), &mode) == nil
}

// GetSize returns the size of the console whose output buffer is fd. For an
// input handle, it is that of the process's console (CONOUT$). Pixels are
// unknown.
func GetSize(fd int) (Size, error) {
	var info windows.ConsoleScreenBufferInfo
	err := windows.GetConsoleScreenBufferInfo(windows.Handle(fd), &info)
	if err != nil && IsTerminal(fd) {
		err = ownConsoleInfo(&info)
	}
	if err != nil {
		return Size{}, fmt.Errorf("%w: %w", ErrNotTerminal, err)
	}
	window := info.Window
	return Size{
		Columns: uint32(window.Right - window.Left + 1),
		Rows:    uint32(window.Bottom - window.Top + 1),
	}, nil
}

func ownConsoleInfo(info *windows.ConsoleScreenBufferInfo) error {
	out, err := openConsole("CONOUT$")
	if err != nil {
		return err
	}
	defer windows.CloseHandle(out)
	return windows.GetConsoleScreenBufferInfo(out, info)
}

// MakeRaw puts the console input at fd into raw mode: keys arrive as the
// escape sequences of a VT220, one by one and without echo, Ctrl-C among them.
// The console's output (CONOUT$) is made to obey such sequences, in UTF-8.
func MakeRaw(fd int) (*State, error) {
	return newState(fd, windows.ENABLE_ECHO_INPUT|windows.ENABLE_LINE_INPUT|windows.ENABLE_PROCESSED_INPUT)
}

// MakeKeywise puts the console input at fd into a mode for whoever waits for a
// key: keys come at once and unseen. ^C stays a signal. It is undone, and gone
// back to, as raw mode is.
func MakeKeywise(fd int) (*State, error) {
	return newState(fd, windows.ENABLE_ECHO_INPUT|windows.ENABLE_LINE_INPUT)
}

func newState(fd int, off uint32) (*State, error) {
	s := &State{fd: fd, off: off}
	if err := windows.GetConsoleMode(windows.Handle(fd), &s.saved); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTerminal, err)
	}
	if err := s.Reenter(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reenter puts the console into raw mode again, after Restore.
func (s *State) Reenter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	mode := s.saved &^ s.off
	mode |= windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	if err := windows.SetConsoleMode(windows.Handle(s.fd), mode); err != nil {
		return fmt.Errorf("terminal: SetConsoleMode: %w", err)
	}
	s.raw = true
	if s.out == nil {
		s.out = openTerminalOutput()
	}
	return nil
}

// Restore puts the console back into the modes that MakeRaw found. It may be
// called at any time, any number of times.
func (s *State) Restore() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.raw {
		return nil
	}
	if err := windows.SetConsoleMode(windows.Handle(s.fd), s.saved); err != nil {
		return fmt.Errorf("terminal: SetConsoleMode: %w", err)
	}
	s.raw = false
	if s.out != nil {
		s.out.restore()
		s.out = nil
	}
	return nil
}

// codePageUTF8 is CP_UTF8.
const codePageUTF8 = 65001

// consoleOutput is the console's output as it was before raw mode.
type consoleOutput struct {
	handle   windows.Handle
	mode     uint32
	codePage uint32
}

// openTerminalOutput returns nil if there is no console to write to: the
// session's output then goes elsewhere.
func openTerminalOutput() *consoleOutput {
	handle, err := openConsole("CONOUT$")
	if err != nil {
		return nil
	}
	out := &consoleOutput{handle: handle}
	if windows.GetConsoleMode(handle, &out.mode) != nil {
		windows.CloseHandle(handle)
		return nil
	}
	out.codePage, _ = windows.GetConsoleOutputCP()
	windows.SetConsoleOutputCP(codePageUTF8)
	windows.SetConsoleMode(handle, out.mode|windows.ENABLE_PROCESSED_OUTPUT|
		windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING|windows.DISABLE_NEWLINE_AUTO_RETURN)
	return out
}

func (out *consoleOutput) restore() {
	windows.SetConsoleMode(out.handle, out.mode)
	if out.codePage != 0 {
		windows.SetConsoleOutputCP(out.codePage)
	}
	windows.CloseHandle(out.handle)
}

// Raw reports whether the console is in raw mode by our doing.
func (s *State) Raw() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw
}

// Modes returns the encoded modes; see [Modes].
func (s *State) Modes() []byte { return Modes(s.fd) }

// Suspend does nothing: there is no job control on Windows.
func (s *State) Suspend() error { return nil }

// FollowContinue waits for ctx: there is no job control on Windows.
func (s *State) FollowContinue(ctx context.Context) { <-ctx.Done() }

// Modes returns TTY_OP_END alone: a console has no modes of the kind that RFC
// 4254, section 8 encodes, and the server's defaults fit it.
func Modes(fd int) []byte { return []byte{ttyOpEnd} }
