package cli

import (
	"errors"

	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/session"
)

// sessionName is ssh's name of a session's channel.
const sessionName = "client-session"

// sessionRequests says what is asked for on a session's channel that the server
// has opened.
func (p *program) sessionRequests(number int, cmd *session.Cmd) {
	if cmd.X11 != nil {
		p.console.debugf("Requesting X11 forwarding with authentication spoofing.")
	}
	if cmd.ForwardAgent {
		p.console.debugf("Requesting agent forwarding on channel %d via auth-agent-req@openssh.com", number)
	}
	if len(p.cfg.SendEnv) > 0 {
		p.console.debugf("Sending environment.")
	}
	for _, v := range cmd.Env {
		p.console.debugf("channel %d: setting env %s = \"%s\"", number, v.Name, v.Value)
	}
	switch {
	case cmd.Subsystem:
		p.console.debugf("Sending subsystem: %s", cmd.Line)
	case cmd.Line != "":
		p.console.debugf("Sending command: %s", cmd.Line)
	}
}

// sessionOpened says what a client's session asks for over the master's
// connection, and later how it ended.
func (s *shared) sessionOpened(cmd *session.Cmd) (ended func(error)) {
	s.mu.Lock()
	forwards := s.conn.Forwards()
	s.mu.Unlock()
	number, free := forwards.Number()
	s.p.channelNew(number, "session", sessionName)
	s.p.sessionRequests(number, cmd)
	return func(err error) { s.p.sessionEnded(number, exitRequest(err), free()) }
}

// sessionEnded says how a session's channel ended: exit is the name of the
// request that told how the program did, "" if there was none.
func (p *program) sessionEnded(number int, exit string, open int) {
	if exit != "" {
		p.console.debugf("client_input_channel_req: channel %d rtype %s reply 0", number, exit)
	}
	p.channelFreed(number, sessionName, open)
}

// outputLost reports whether output of a program that ended well is missing,
// and names the cause. ssh ends with 0 then, if the server has sent everything
// before it notices.
func (p *program) outputLost(e *session.OutputError) bool {
	if !e.Lost() || errors.Is(e, terminal.ErrCanceled) {
		return false
	}
	p.console.error("%s: write: %s", p.name, errnoText(e.Err))
	return true
}

// exitRequest is the request by which a program's end becomes known, "" if err
// is another end.
func exitRequest(err error) string {
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

// beginSession says that the connection is up for what it is for.
func (p *program) beginSession() {
	p.console.debugf("Entering interactive session.")
}
