package message

import (
	"errors"

	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// SessionChannel is ssh's name for the channel of a session.
const SessionChannel = "client-session"

// SessionRequests prints what is requested on a session channel that the server
// has opened.
func (p *Printer) SessionRequests(number int, cmd *session.Cmd) {
	if cmd.X11 != nil {
		p.Debugf("Requesting X11 forwarding with authentication spoofing.")
	}
	if cmd.ForwardAgent {
		p.Debugf("Requesting agent forwarding on channel %d via auth-agent-req@openssh.com", number)
	}
	if len(p.Config.SendEnv) > 0 {
		p.Debugf("Sending environment.")
	}
	for _, v := range cmd.Env {
		p.Debugf("channel %d: setting env %s = \"%s\"", number, v.Name, v.Value)
	}
	switch {
	case cmd.Subsystem:
		p.Debugf("Sending subsystem: %s", cmd.Line)
	case cmd.Line != "":
		p.Debugf("Sending command: %s", cmd.Line)
	}
}

// SessionEnded prints how a session channel ended. exit is the result of
// ExitRequest. open is the number of open channels, this one included.
func (p *Printer) SessionEnded(number int, exit string, open int) {
	if exit != "" {
		p.Debugf("client_input_channel_req: channel %d rtype %s reply 0", number, exit)
	}
	p.ChannelFreed(number, SessionChannel, open)
}

// OutputLost reports whether output of a program that exited is missing, and
// prints the cause if so. ssh exits with 0 if the server has sent everything
// before ssh notices.
func (p *Printer) OutputLost(e *session.OutputError) bool {
	if !e.Lost() || errors.Is(e, terminal.ErrCanceled) {
		return false
	}
	p.Errorf("%s: write: %s", p.Program, Errno(e.Err))
	return true
}

// ExitRequest returns the name of the request that reported the program's exit,
// or "" if the session ended otherwise. err is what Wait returned.
func ExitRequest(err error) string {
	var exit *session.ExitError
	var output *session.OutputError
	switch {
	case errors.As(err, &exit) && exit.Signal != "":
		return "exit-signal"
	case err == nil, errors.As(err, &exit), errors.As(err, &output):
		return "exit-status"
	}
	return ""
}

// SessionBegins prints the line that ssh prints before its session loop.
func (p *Printer) SessionBegins() {
	p.Debugf("Entering interactive session.")
}
