package mux

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/session"
)

// passengerSession is a session channel. What is asked for before the program is
// collected, since a passenger asks for all of it at once.
type passengerSession struct {
	*pipeChannel
	conn *passengerConn
	far  *farEnds

	mu      sync.Mutex
	req     SessionRequest
	started bool
	failed  error       // of making the pipes
	unwatch func() bool // lets the end of the connection not close the channel
}

func newPassengerSession(c *passengerConn) *passengerSession {
	s := &passengerSession{conn: c}
	s.pipeChannel, s.far, s.failed = newPipeChannel(true)
	if s.failed != nil {
		s.pipeChannel = &pipeChannel{requests: make(chan *ssh.Request), closed: true, ended: true}
		close(s.requests)
		return s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwatch = context.AfterFunc(c.ctx, func() { s.Close() })
	return s
}

// SendRequest takes the requests of RFC 4254, section 6, that come before the
// program, and starts the program. A terminal has no size and no modes: the
// master takes them from a terminal that is passed to it. Signals, and what else
// concerns a program that runs, cannot be sent.
func (s *passengerSession) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return false, s.failed
	}
	if s.started {
		return false, nil
	}
	switch name {
	case "env":
		var m struct{ Name, Value string }
		if err := ssh.Unmarshal(payload, &m); err != nil {
			return false, err
		}
		s.req.Env = append(s.req.Env, session.EnvVar{Name: m.Name, Value: m.Value})
	case "pty-req":
		var m struct {
			Term string
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(payload, &m); err != nil {
			return false, err
		}
		s.req.TTY, s.req.Term = true, m.Term
	case "auth-agent-req@openssh.com":
		s.req.Agent = true
	case "exec", "subsystem":
		var m struct{ Line string }
		if err := ssh.Unmarshal(payload, &m); err != nil {
			return false, err
		}
		s.req.Command, s.req.Subsystem = m.Line, name == "subsystem"
		return s.start()
	case "shell":
		return s.start()
	default:
		return false, nil
	}
	return true, nil
}

// start is called with mu held.
func (s *passengerSession) start() (bool, error) {
	s.started = true
	defer s.far.close()
	client, err := s.conn.connect()
	if err != nil {
		return false, err
	}
	running, err := client.NewSession(s.conn.ctx, s.req, [3]int{s.far.stdin(), s.far.stdout(), s.far.stderr()})
	if err != nil {
		client.Close()
		return false, openError(err, ssh.ResourceShortage)
	}
	s.begin(s.conn, running, exitStatus)
	return true, nil
}

// exitStatus returns the request that tells the exit status. The master has no
// word for a signal: its status for one is 255.
func exitStatus(status int) *ssh.Request {
	return &ssh.Request{Type: "exit-status", Payload: ssh.Marshal(struct{ Status uint32 }{uint32(status)})}
}

// Close closes the channel, and the pipes of a program that was never started.
func (s *passengerSession) Close() error {
	s.mu.Lock()
	if s.unwatch != nil {
		s.unwatch()
	}
	if !s.started && s.failed == nil {
		s.started = true
		s.far.close()
	}
	s.mu.Unlock()
	return s.pipeChannel.Close()
}
