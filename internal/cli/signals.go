package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// deathError is the end by a signal of which the process cannot die here.
type deathError struct{ sig os.Signal }

func (e *deathError) Error() string { return "died of " + e.sig.String() }

// untilSignal gives a context that ends when this process is told to. It is
// for the time after authentication: before it, a signal has its usual effect.
// The function that comes with it ends the watch.
func (p *program) untilSignal(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	p.watches.Add(1)
	for _, sig := range endSignals() {
		if !signal.Ignored(sig) { // nohup stays nohup
			signal.Notify(caught, sig)
		}
	}
	go p.crash.run(func() { p.awaitSignal(ctx, cancel, caught) })
	return ctx, cancel
}

// awaitSignal ends with the first signal, or with ctx.
func (p *program) awaitSignal(ctx context.Context, cancel context.CancelCauseFunc, caught chan os.Signal) {
	for {
		select {
		case sig := <-caught:
			if p.questions.ignores(sig) {
				continue
			}
			cancel(&message.SignalError{Signal: sig})
			// It stays counted: struck hears of the same signal.
			signal.Stop(caught)
		case <-ctx.Done():
			p.stopWatching(caught)
		}
		return
	}
}

// stopWatching gives the signals of a watch their usual effect back.
func (p *program) stopWatching(caught chan os.Signal) {
	signal.Stop(caught)
	p.watches.Add(-1)
}

// signalState is what a signal's effect depends on.
type signalState struct {
	watches atomic.Int32 // of those who end in their own way: sessions
	asking  atomic.Int32 // questions, which restore the terminal first
	late    atomic.Pointer[os.Signal]
}

// beginSignals gives signals the effect that they have on ssh. Go lists its
// goroutines at SIGQUIT, and takes no notice of some others.
func (p *program) beginSignals(ctx context.Context) (context.Context, func()) {
	prepareSignals()
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	for _, sig := range deadlySignals() {
		signal.Notify(caught, sig)
	}
	go p.crash.run(func() { // ends with the invocation
		for {
			select {
			case sig := <-caught:
				p.struck(sig, cancel)
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, func() { signal.Stop(caught); cancel(nil) }
}

// struck lets a signal take its effect, unless it is somebody else's.
func (p *program) struck(sig os.Signal, cancel context.CancelCauseFunc) {
	switch {
	case isQuit(sig) && p.watches.Load() > 0:
	case p.asking.Load() > 0:
		p.late.Store(&sig)
		if p.asking.Load() == 0 { // the question has just ended
			p.strikeLate()
		}
	default:
		dieOf(sig)
		cancel(&deathError{sig}) // where it cannot
	}
}

// strikeLate lets a signal that had to wait for a question take its effect.
func (p *program) strikeLate() {
	if sig := p.late.Swap(nil); sig != nil {
		dieOf(*sig)
	}
}

// deliver lets a signal that broke a question off take its effect: before the
// session it is the end of the process, later it goes to whoever watches.
func (p *program) deliver(sig os.Signal) {
	if p.watches.Load() == 0 {
		dieOf(sig)
		return
	}
	raise(sig)
}

// watchedAsker keeps deadly signals waiting until the terminal is restored.
type watchedAsker struct {
	asker
	p *program
}

func (w watchedAsker) Ask(ctx context.Context, prompt string, flags terminal.Flags) (string, error) {
	w.p.asking.Add(1)
	answer, err := w.asker.Ask(ctx, prompt, flags)
	if w.p.asking.Add(-1) == 0 {
		w.p.strikeLate() // the question had not seen it
	}
	return answer, err
}

// terminated says that SIGTERM ended a connection without a session, which is
// how such a one is meant to end.
func (p *program) terminated(err error) bool {
	var s *message.SignalError
	return errors.As(err, &s) && isTerm(s.Signal) &&
		(p.cfg.SessionType == sshconfig.SessionNone || !p.cfg.StdioForward.IsZero())
}
