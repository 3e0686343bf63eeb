package cli

import (
	"errors"
	"os"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// exitFailure is the status of every failure that is not the remote program's.
const exitFailure = 255

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
	if sig := fatalSignal(err); sig != nil {
		return process.DeathStatus(sig)
	}
	return exitFailure
}

// fatalSignal returns the signal by which the process should have died of err,
// nil if err is about something else. The process gets to exit on platforms that
// cannot send themselves a signal.
func fatalSignal(err error) os.Signal {
	var denied *client.AuthError
	var death *process.DeathError
	var question *terminal.SignalError
	switch {
	case errors.As(err, &denied): // its Errs may contain an interrupted question
		return nil
	case errors.As(err, &death):
		return death.Signal
	case errors.As(err, &question):
		return question.Signal
	}
	return nil
}

// terminated reports whether SIGTERM ended a task without a session, which is the
// usual way to end one.
func terminated(t task.Task, err error) bool {
	var s *message.SignalError
	return t.Kind != task.Session && errors.As(err, &s) && process.IsTerm(s.Signal)
}

// fail prints why the invocation fails and returns its exit status.
func fail(print *message.Printer, err error) int {
	if fatalSignal(err) == nil { // ssh would die without words
		print.Failure(err)
	}
	return exitStatus(err)
}
