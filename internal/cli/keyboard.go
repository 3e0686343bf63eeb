package cli

import (
	"errors"
	"sync"

	"github.com/gossh-project/gossh/internal/terminal"
)

// pausable is the keyboard of a session, which a question may take away for a
// while. A terminal.Input ends for good, so a pause is the end of one and the
// going on is another: in between nothing reads the terminal, and what is typed
// waits in it for whoever asks.
type pausable struct {
	fd int
	// always false for a pipe or a file, which no question is answered from.
	terminal bool

	mu      sync.Mutex
	in      *terminal.Input // nil while paused, and if err is set
	pauses  int
	resumed chan struct{} // while paused; closed when it goes on
	err     error         // why it cannot go on

	once sync.Once
	done chan struct{} // closed by Cancel
}

func newPausable(fd int) (*pausable, error) {
	in, err := terminal.NewInput(fd)
	if err != nil {
		return nil, err
	}
	return &pausable{fd: fd, terminal: terminal.IsTerminal(fd), in: in, done: make(chan struct{})}, nil
}

// Read is terminal.Input's. A pause makes it wait.
func (k *pausable) Read(p []byte) (int, error) {
	for {
		k.mu.Lock()
		in, resumed, err := k.in, k.resumed, k.err
		k.mu.Unlock()
		switch {
		case k.ended():
			return 0, terminal.ErrCanceled
		case err != nil:
			return 0, err
		case resumed != nil:
			select {
			case <-resumed:
			case <-k.done:
			}
			continue
		}
		n, err := in.Read(p)
		if n == 0 && errors.Is(err, terminal.ErrCanceled) && !k.ended() {
			continue // a pause
		}
		return n, err
	}
}

func (k *pausable) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// pause returns when no read is under way, and until the resume that goes with
// it none begins. Pauses nest. A read that had taken something gives it to the
// session first.
func (k *pausable) pause() {
	if k == nil || !k.terminal {
		return
	}
	k.mu.Lock()
	in := k.in
	if k.pauses++; k.pauses == 1 {
		k.in, k.resumed = nil, make(chan struct{})
	}
	k.mu.Unlock()
	if in != nil {
		in.Close()
	}
}

func (k *pausable) resume() {
	if k == nil || !k.terminal {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pauses--; k.pauses > 0 {
		return
	}
	if !k.ended() {
		k.in, k.err = terminal.NewInput(k.fd)
	}
	close(k.resumed)
	k.resumed = nil
}

// Cancel ends a Read under way and every later one. It does not wait.
func (k *pausable) Cancel() {
	k.once.Do(func() { close(k.done) })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.in != nil {
		k.in.Cancel()
	}
}

// Close cancels, and waits for a Read under way.
func (k *pausable) Close() error {
	k.Cancel()
	k.mu.Lock()
	in := k.in
	k.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.Close()
}
