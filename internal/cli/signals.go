package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/gossh-project/gossh/sshconfig"
)

// signalError is the end by a signal to this process: status 255, as with ssh,
// and a line at -v.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string { return "killed by signal " + e.sig.String() }

// untilSignal gives a context that ends when this process is told to. It is
// for the time after authentication: before it, a signal has its usual effect.
// The function that comes with it ends the watch.
func (p *program) untilSignal(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
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
	defer signal.Stop(caught)
	for {
		select {
		case sig := <-caught:
			if p.questions.ignores(sig) {
				continue
			}
			cancel(&signalError{sig})
		case <-ctx.Done():
		}
		return
	}
}

// killed says at -v that a signal was the end.
func (p *program) killed(err error) bool {
	var s *signalError
	if !errors.As(err, &s) {
		return false
	}
	p.console.printf(sshconfig.LogVerbose, "Killed by signal %d.", signalNumber(s.sig))
	return true
}
