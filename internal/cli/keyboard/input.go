package keyboard

import (
	"errors"
	"sync"

	"github.com/gossh-project/gossh/internal/terminal"
)

// Input is the standard input of a session. It can pause, so that a question gets
// the keyboard: a pause closes the terminal.Input, and resuming opens a new one.
// In between nothing reads the terminal.
type Input struct {
	fd       int
	terminal bool // only a terminal pauses: no question reads a pipe or a file

	mu      sync.Mutex
	in      *terminal.Input // nil while paused, and if err is set
	pauses  int
	resumed chan struct{} // while paused; closed when it goes on
	err     error         // why it cannot go on

	once sync.Once
	done chan struct{} // closed by Cancel
}

// New returns an Input that reads a descriptor, which it does not close.
func New(fd int) (*Input, error) {
	in, err := terminal.NewInput(fd)
	if err != nil {
		return nil, err
	}
	return &Input{fd: fd, terminal: terminal.IsTerminal(fd), in: in, done: make(chan struct{})}, nil
}

// Read reads. It blocks during a pause.
func (k *Input) Read(p []byte) (int, error) {
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

func (k *Input) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// Done returns a channel that is closed by Cancel and Close.
func (k *Input) Done() <-chan struct{} { return k.done }

// Pause waits until no Read is under way; then none starts before the matching
// Resume. Pauses nest. A Read that already has data returns it to the session. A
// nil Input has nothing to pause.
func (k *Input) Pause() {
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

// Resume ends a pause.
func (k *Input) Resume() {
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

// Cancel makes the current Read and every later one fail. It does not wait.
func (k *Input) Cancel() {
	k.once.Do(func() { close(k.done) })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.in != nil {
		k.in.Cancel()
	}
}

// Close cancels and waits for the current Read.
func (k *Input) Close() error {
	k.Cancel()
	k.mu.Lock()
	in := k.in
	k.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.Close()
}
