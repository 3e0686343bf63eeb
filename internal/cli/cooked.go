package cli

import (
	"context"
	"io"
	"sync"

	"github.com/gossh-project/gossh/internal/cli/process"
)

// cooked runs f with the terminal in the modes of before the session, the
// keyboard not read, and nothing written. It is for questions.ask, which sees
// to it that there is one at a time.
func (r *remoteSession) Cooked(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the connection or with the question
		select {
		case <-r.client.Done():
			cancel(r.client.Err())
		case <-ctx.Done():
		}
	}()
	r.in.Pause()
	defer r.in.Resume()
	r.hold.Lock()
	defer r.hold.Unlock()
	if r.tty != nil {
		r.tty.unraw()
		defer r.tty.raw()
	}
	return f(ctx)
}

// takeTerminal makes the terminal the session's, once no question of the login
// is open any more.
func (r *remoteSession) takeTerminal() {
	r.turns.Enter(r.ctx, r, func() {
		if r.tty != nil {
			r.tty.enter()
		}
	})
}

// leaveTerminal restores the terminal. An open question keeps the keyboard.
func (r *remoteSession) leaveTerminal() {
	r.turns.Leave(r)
	if r.tty != nil {
		r.tty.leave()
	}
}

// held is a session's output, which waits while a question is open.
type heldOutput struct {
	to   io.Writer
	hold *sync.RWMutex
}

func (h heldOutput) Write(p []byte) (int, error) {
	h.hold.RLock()
	defer h.hold.RUnlock()
	return h.to.Write(p)
}

// Cancel ends a blocked Write.
func (h heldOutput) Cancel() {
	if c, ok := h.to.(interface{ Cancel() }); ok {
		c.Cancel()
	}
}

// unraw gives the terminal its own modes for a while.
func (t *ttySession) unraw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != nil && !t.left {
		t.cooked = t.state.Raw()
		t.state.Restore()
	}
}

// raw goes back, unless the session has ended meanwhile.
func (t *ttySession) raw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != nil && !t.left && t.cooked {
		t.state.Reenter()
	}
	t.cooked = false
}

// keepDescriptors moves the session's output to descriptors of its own.
func (r *remoteSession) keepDescriptors() error {
	var err error
	if r.out, err = process.KeepOutput(r.out, 1); err != nil {
		return err
	}
	if r.err, err = process.KeepOutput(r.err, 2); err != nil {
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = heldOutput{r.out, &r.hold}, heldOutput{r.err, &r.hold}
	return nil
}
