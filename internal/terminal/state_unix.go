//go:build linux || darwin || freebsd

package terminal

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// drainLimit bounds the wait for output that the other end of the terminal
// does not read.
const drainLimit = time.Second

// State is a terminal that MakeRaw has put into raw mode. Its methods may be
// called from several goroutines.
type State struct {
	fd    int
	saved unix.Termios
	modes func(unix.Termios) unix.Termios // from saved to those of raw mode

	mu  sync.Mutex
	raw bool
}

// IsTerminal reports whether fd is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	return err == nil
}

// GetSize returns the size of the terminal at fd. The pixels are zero where
// the terminal does not know them.
func GetSize(fd int) (Size, error) {
	ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return Size{}, fmt.Errorf("%w: %w", ErrNotTerminal, os.NewSyscallError("ioctl", err))
	}
	return Size{
		Columns:      uint32(ws.Col),
		Rows:         uint32(ws.Row),
		WidthPixels:  uint32(ws.Xpixel),
		HeightPixels: uint32(ws.Ypixel),
	}, nil
}

// MakeRaw puts the terminal at fd into raw mode, with the same flags as ssh:
// every byte goes to the server untouched, and nothing is done to the output.
// In a background process group that is stopped first (SIGTTOU) until the shell
// brings it to the foreground, as job control wants it.
func MakeRaw(fd int) (*State, error) { return newState(fd, rawTermios) }

// MakeKeywise puts the terminal at fd into a mode for whoever waits for a key:
// keys come at once and unseen. All else stays: ^C and ^Z are signals, output
// is processed. It is undone, and gone back to, as raw mode is.
func MakeKeywise(fd int) (*State, error) { return newState(fd, keywiseTermios) }

func newState(fd int, modes func(unix.Termios) unix.Termios) (*State, error) {
	if err := waitForeground(fd); err != nil {
		return nil, err
	}
	termios, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTerminal, os.NewSyscallError("tcgetattr", err))
	}
	s := &State{fd: fd, saved: *termios, modes: modes}
	if err := s.Reenter(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reenter puts the terminal into raw mode again, after Restore or after
// somebody else changed its modes (a shell does when it continues a job). What
// Restore goes back to stays as MakeRaw found it.
func (s *State) Reenter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reenterLocked()
}

func (s *State) reenterLocked() error {
	raw := s.modes(s.saved)
	if err := setDrained(s.fd, &raw); err != nil {
		return err
	}
	s.raw = true
	return nil
}

// Restore puts the terminal back into the modes that MakeRaw found. It may be
// called at any time, any number of times; only the first call after raw mode
// was entered does something. It waits at most a second for output that the
// terminal has not taken.
//
// A process group in the background does not own the terminal, whose modes
// the shell has set for whoever does: Restore then leaves them alone (and is
// not stopped by SIGTTOU).
func (s *State) Restore() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restoreLocked()
}

func (s *State) restoreLocked() error {
	if !s.raw {
		return nil
	}
	if !inBackground(s.fd) {
		if err := setDrained(s.fd, &s.saved); err != nil {
			return err
		}
	}
	s.raw = false
	return nil
}

// Raw reports whether the terminal is in raw mode by our doing.
func (s *State) Raw() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw
}

// Modes returns the encoded modes from before raw mode; see [Modes].
func (s *State) Modes() []byte { return encodeModes(&s.saved) }

// Suspend is the escape ~^Z: it restores the terminal, stops the process group
// with SIGTSTP and, once continued, enters raw mode again. The caller then
// sends the size anew ([Resizes] reports it after each SIGCONT by itself).
// Nothing in the program may ever have asked for SIGTSTP with signal.Notify:
// the Go runtime does not give its default action back.
func (s *State) Suspend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.restoreLocked(); err != nil {
		return err
	}
	if _, err := stop(0, unix.SIGTSTP); err != nil {
		return err
	}
	return s.reenterLocked()
}

// FollowContinue re-enters raw mode each time the process is continued
// (SIGCONT) in the foreground, for a stop that did not come through Suspend.
// It returns when ctx is done.
func (s *State) FollowContinue(ctx context.Context) {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	s.resume() // for a stop between raw mode and here
	for {
		select {
		case <-ctx.Done():
			return
		case <-continued:
			s.resume()
		}
	}
}

// resume enters raw mode again if it should be on. In the background it does
// nothing: the SIGCONT that comes with fg finds us in the foreground.
func (s *State) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw && !inBackground(s.fd) {
		s.reenterLocked() // nobody to tell: the terminal may have gone
	}
}

// rawTermios returns t with raw mode on.
func rawTermios(t unix.Termios) unix.Termios {
	t.Iflag |= unix.IGNPAR
	t.Iflag &^= unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXANY | unix.IXOFF | iuclc
	t.Lflag &^= unix.ISIG | unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL | unix.IEXTEN
	t.Oflag &^= unix.OPOST
	t.Cc[unix.VMIN] = 1
	t.Cc[unix.VTIME] = 0
	return t
}

// keywiseTermios returns t without line editing and echo.
func keywiseTermios(t unix.Termios) unix.Termios {
	t.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL
	t.Cc[unix.VMIN] = 1
	t.Cc[unix.VTIME] = 0
	return t
}

// inBackground reports whether fd is our controlling terminal and another
// process group has it, so that tcsetattr would stop us. (Another terminal
// than the controlling one raises no SIGTTOU, and answers ENOTTY here.)
func inBackground(fd int) bool {
	pgrp, err := getInt(fd, unix.TIOCGPGRP)
	return err == nil && pgrp != unix.Getpgrp()
}

// setDrained is tcsetattr(fd, TCSADRAIN, t) that cannot block for ever.
// TCSADRAIN waits for the other end, which may have stopped reading (^S, a
// stuck terminal emulator); so the wait is made here, bounded, and then the
// modes are set without one.
func setDrained(fd int, t *unix.Termios) error {
	for end := time.Now().Add(drainLimit); time.Now().Before(end); {
		queued, err := getInt(fd, unix.TIOCOUTQ)
		if err != nil || queued == 0 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	for {
		err := unix.IoctlSetTermios(fd, ioctlSetTermios, t)
		if err != unix.EINTR {
			return os.NewSyscallError("tcsetattr", err)
		}
	}
}

// setFlushed is tcsetattr(fd, TCSAFLUSH, t), which also throws away what was
// typed and not read yet, with the bounded wait of setDrained.
func setFlushed(fd int, t *unix.Termios) error {
	if err := setDrained(fd, t); err != nil {
		return err
	}
	return os.NewSyscallError("tcflush", flushInput(fd))
}
