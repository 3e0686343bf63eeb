package cli

import (
	"errors"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// exitFailure is the status of every failure that is not the remote program's.
const exitFailure = 255

// exitSignalled is what a shell adds to the number of a signal.
const exitSignalled = 128

// exitStatus returns the exit status of an invocation that ends with err.
func exitStatus(err error) int {
	var exit *session.ExitError
	var log *message.LogFileError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Signal == "":
		return exit.Status & 0xff
	case errors.As(err, &log):
		return 1 // as ssh's log_redirect_stderr_to does
	}
	if sig := fatalSignal(err); sig > 0 {
		return exitSignalled + sig
	}
	return exitFailure
}

// fatalSignal returns the number of the signal by which the process should have
// died of err, 0 if err is about something else. The process gets to exit on
// platforms that cannot send themselves a signal.
func fatalSignal(err error) int {
	var denied *client.AuthError
	var death *deathError
	var question *terminal.SignalError
	switch {
	case errors.As(err, &denied): // its Errs may hold a question that was broken off
		return 0
	case errors.As(err, &death):
		return signalNumber(death.sig)
	case errors.As(err, &question):
		return signalNumber(question.Signal)
	}
	return 0
}

// fail prints why the invocation fails and returns its exit status.
func (p *program) fail(err error) int {
	if fatalSignal(err) == 0 { // ssh would die without words
		p.print.Failure(err)
	}
	return exitStatus(err)
}
