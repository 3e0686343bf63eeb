// Package prompt asks the user: passwords, host keys, and whether a remote host
// may use the agent. One question is open at a time, and a session makes way for
// it.
package prompt

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// Session is a session that uses the terminal.
type Session interface {
	// Cooked calls f with the terminal in the modes it had before the session.
	// Meanwhile the session neither reads the keyboard nor writes.
	Cooked(ctx context.Context, f func(context.Context) error) error
}

// Turns decides who may use the terminal: one question at a time, or else the
// session. A question can come during a session: the escape ~C, a use of the
// forwarded agent, UpdateHostKeys.
type Turns struct {
	turn chan struct{} // holds one value while the terminal is taken
	open atomic.Int32  // questions during a session

	mu      sync.Mutex
	session Session // nil while no session uses the terminal
}

// NewTurns returns a Turns with the terminal free.
func NewTurns() *Turns { return &Turns{turn: make(chan struct{}, 1)} }

// take waits until the terminal is free. It returns the cause of ctx if ctx ends
// first.
func (t *Turns) take(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Turns) release() { <-t.turn }

// Ask calls f, which asks a question, when no other question is open. A session
// is paused meanwhile.
func (t *Turns) Ask(ctx context.Context, f func(context.Context) error) error {
	if err := t.take(ctx); err != nil {
		return err
	}
	defer t.release()
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	if session == nil {
		return f(ctx)
	}
	t.open.Add(1)
	defer t.open.Add(-1)
	return session.Cooked(ctx, f)
}

// Enter gives the terminal to a session. enter, which sets the terminal up, is
// called when no question of the login is open any more, or when ctx ends.
func (t *Turns) Enter(ctx context.Context, s Session, enter func()) {
	if t.take(ctx) == nil {
		defer t.release()
	}
	t.mu.Lock()
	t.session = s
	t.mu.Unlock()
	enter()
}

// Leave takes the terminal from a session, if it has it.
func (t *Turns) Leave(s Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == s {
		t.session = nil
	}
}

// Await waits until no question is open, ctx ends, or done is closed.
func (t *Turns) Await(ctx context.Context, done <-chan struct{}) {
	select {
	case t.turn <- struct{}{}:
		t.release()
	case <-ctx.Done():
	case <-done:
	}
}

// Ignores reports whether a signal belongs to an open question and must not end
// the session: ^C ends the question only.
func (t *Turns) Ignores(sig os.Signal) bool {
	return sig == os.Interrupt && t.open.Load() > 0
}
