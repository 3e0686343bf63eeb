package process

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"

	"github.com/gossh-project/gossh/internal/cli/message"
)

// DeathError reports a signal that should have ended the process where the
// platform cannot do that.
type DeathError struct{ Signal os.Signal }

func (e *DeathError) Error() string { return "died of " + e.Signal.String() }

// exitSignalled is what a shell adds to the number of a signal.
const exitSignalled = 128

// DeathStatus returns the exit status that a shell gives to a process that died
// of sig.
func DeathStatus(sig os.Signal) int { return exitSignalled + signalNumber(sig) }

// Signals gives signals the effect that they have on ssh.
type Signals struct {
	guard  *Guard
	ignore func(os.Signal) bool // a signal that belongs to an open question

	watches atomic.Int32 // sessions and children, which handle signals themselves
	asking  atomic.Int32 // open questions, which restore the terminal first
	late    atomic.Pointer[os.Signal]
}

// NewSignals returns the signal handling of the process. A signal for which
// ignore returns true does not end a session.
func NewSignals(guard *Guard, ignore func(os.Signal) bool) *Signals {
	return &Signals{guard: guard, ignore: ignore}
}

// Start begins to handle the signals whose effect in Go differs from ssh's: Go
// lists its goroutines at SIGQUIT and ignores some others. The context ends with
// a [DeathError] where the process cannot die of a signal. stop ends the handling.
func (s *Signals) Start(ctx context.Context) (_ context.Context, stop func()) {
	prepareSignals()
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	for _, sig := range deadlySignals() {
		signal.Notify(caught, sig)
	}
	go s.guard.Run(func() { // ends with ctx, at the latest with stop
		for {
			select {
			case sig := <-caught:
				s.handle(sig, cancel)
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, func() { signal.Stop(caught); cancel(nil) }
}

// handle lets a signal take its effect unless a session handles it.
func (s *Signals) handle(sig os.Signal, cancel context.CancelCauseFunc) {
	switch {
	case isQuit(sig) && s.watches.Load() > 0:
	case s.asking.Load() > 0:
		s.late.Store(&sig)
		if s.asking.Load() == 0 { // the question has just ended
			s.deliverLate()
		}
	default:
		die(sig)
		cancel(&DeathError{sig}) // die has returned: the platform cannot do it
	}
}

// deliverLate lets a signal that had to wait for a question take its effect.
func (s *Signals) deliverLate() {
	if sig := s.late.Swap(nil); sig != nil {
		die(*sig)
	}
}

// Asking delays deadly signals until the function that it returns is called, so
// that a question can restore the terminal first.
func (s *Signals) Asking() (done func()) {
	s.asking.Add(1)
	return func() {
		if s.asking.Add(-1) == 0 {
			s.deliverLate() // the question did not see it
		}
	}
}

// Deliver lets a signal that interrupted a question take its effect. Before the
// session it ends the process. During a session [Signals.Until] gets it.
func (s *Signals) Deliver(sig os.Signal) {
	if s.watches.Load() == 0 {
		die(sig)
		return
	}
	raise(sig)
}

// Until returns a context that a signal cancels, with a [message.SignalError] as
// cause. It is for the time after authentication; earlier, a signal ends the
// process. The cancel function ends the watch.
func (s *Signals) Until(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := s.watch(1)
	go s.guard.Run(func() { s.await(ctx, cancel, caught) })
	return ctx, cancel
}

// watch begins to catch the signals that end a session.
func (s *Signals) watch(size int) chan os.Signal {
	s.watches.Add(1)
	caught := make(chan os.Signal, size)
	for _, sig := range endSignals() {
		if !signal.Ignored(sig) { // nohup stays nohup
			signal.Notify(caught, sig)
		}
	}
	return caught
}

// stopWatching ends a watch.
func (s *Signals) stopWatching(caught chan os.Signal) {
	signal.Stop(caught)
	s.watches.Add(-1)
}

// await ends with the first signal, or with ctx.
func (s *Signals) await(ctx context.Context, cancel context.CancelCauseFunc, caught chan os.Signal) {
	for {
		select {
		case sig := <-caught:
			if s.ignore(sig) {
				continue
			}
			cancel(&message.SignalError{Signal: sig})
			// The watch stays counted: handle gets the same signal.
			signal.Stop(caught)
		case <-ctx.Done():
			s.stopWatching(caught)
		}
		return
	}
}

// IsTerm reports whether a signal is SIGTERM.
func IsTerm(sig os.Signal) bool { return isTerm(sig) }
