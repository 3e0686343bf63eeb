package cli

import (
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gossh-project/gossh/client"
)

// questions is who may use the terminal: one question at a time, and the
// session only while none is open. A question can come in the middle of a
// session: the escape ~C, a use of the forwarded agent, UpdateHostKeys.
type questions struct {
	turn chan struct{} // holds one while somebody asks, or the session takes the terminal
	open atomic.Int32  // questions in the middle of a session
	run  atomic.Pointer[sessionRun]
}

func newQuestions() *questions { return &questions{turn: make(chan struct{}, 1)} }

// take waits for the terminal; the error is the cause of ctx.
func (q *questions) take(ctx context.Context) error {
	select {
	case q.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (q *questions) give() { <-q.turn }

// ask runs f when nobody else asks. If a session has the terminal it is given
// back as it was before the session, and what the session writes waits.
func (q *questions) ask(ctx context.Context, f func(context.Context) error) error {
	if err := q.take(ctx); err != nil {
		return err
	}
	defer q.give()
	run := q.run.Load()
	if run == nil {
		return f(ctx)
	}
	q.open.Add(1)
	defer q.open.Add(-1)
	return run.cooked(ctx, f)
}

// awaitQuestion lets a question be answered that is open when the session ends.
func (p *program) awaitQuestion(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the connection or with the question
		select {
		case <-c.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	if p.questions.take(ctx) == nil {
		p.questions.give()
	}
}

// ignores says of a signal that it is for the question and not for the session:
// ^C ends the question, and the session goes on.
func (q *questions) ignores(sig os.Signal) bool {
	return sig == os.Interrupt && q.open.Load() > 0
}

// cooked runs f with the terminal in the modes of before the session, the
// keyboard not read, and nothing written. It is for questions.ask, which sees
// to it that there is one at a time.
func (r *sessionRun) cooked(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the connection or with the question
		select {
		case <-r.c.Done():
			cancel(r.c.Err())
		case <-ctx.Done():
		}
	}()
	r.in.pause()
	defer r.in.resume()
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
func (r *sessionRun) takeTerminal() {
	q := r.p.questions
	if q.take(r.ctx) == nil {
		defer q.give()
	}
	q.run.Store(r)
	if r.tty != nil {
		r.tty.enter()
	}
}

// leaveTerminal gives it back for good. A question that is open keeps what it
// has of it.
func (r *sessionRun) leaveTerminal() {
	r.p.questions.run.CompareAndSwap(r, nil)
	if r.tty != nil {
		r.tty.leave()
	}
}

// held is a session's output, which waits while a question is open.
type held struct {
	to   io.Writer
	hold *sync.RWMutex
}

func (h held) Write(p []byte) (int, error) {
	h.hold.RLock()
	defer h.hold.RUnlock()
	return h.to.Write(p)
}

// Cancel ends a blocked Write.
func (h held) Cancel() {
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
