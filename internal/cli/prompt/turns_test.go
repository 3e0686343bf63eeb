package prompt

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
)

// TestQuestionsInTurn checks that one question is open at a time, and that the
// context of a waiting question ends it.
func TestQuestionsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewTurns()
		open, release := make(chan struct{}), make(chan struct{})
		go q.Ask(t.Context(), func(ctx context.Context) error {
			close(open)
			<-release
			return nil
		})
		<-open
		if q.Ignores(os.Interrupt) {
			t.Error("^C is ignored outside of a session")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.Ask(ctx, func(context.Context) error { t.Error("asked beside another"); return nil })
		}()
		synctest.Wait()
		because := errors.New("the server hung up")
		cancel(because)
		if err := <-ended; err != because {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := q.take(t.Context()); err != nil {
			t.Error(err)
		}
		q.release()
	})
}
