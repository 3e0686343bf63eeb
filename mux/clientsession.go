package mux

import (
	"context"
	"fmt"
	"sync"

	"github.com/gossh-project/gossh/forward"
)

// ClientSession is a session as the passenger sees it.
type ClientSession struct {
	client *Client
	id     uint32
	pid    int
	stdio  bool

	ttyOnce   sync.Once
	ttyFailed chan struct{}

	done   chan struct{} // closed when the rest is set
	status int
	err    error
}

// NewSession asks for a session with the given standard input, output and
// error, and returns when the server has confirmed it. Its error is a
// *RefusedError for the master's no, and otherwise as that of Connect.
//
// The descriptors stay the caller's, and so does raw mode, which is entered
// now: the master does not touch the modes of a terminal.
func (c *Client) NewSession(ctx context.Context, req SessionRequest, fds [3]int) (*ClientSession, error) {
	return c.attach(ctx, func(id uint32) message { return &sessionMessage{id, req} }, fds[:], false)
}

// StdioForward asks for a connection to target that is fed from the given
// standard input and output (-W).
func (c *Client) StdioForward(ctx context.Context, target forward.Addr, fds [2]int) (*ClientSession, error) {
	host, port := wireHost(target)
	return c.attach(ctx, func(id uint32) message { return &stdioMessage{id, host, port} }, fds[:], true)
}

func (c *Client) attach(ctx context.Context, request func(uint32) message, fds []int, stdio bool) (*ClientSession, error) {
	reply, err := c.ask(ctx, func(id uint32) message { return &plainRequest{msgAliveCheck, id} })
	if err != nil {
		return nil, err
	}
	alive, err := want(reply, msgAlive)
	if err != nil {
		return nil, err
	}
	if reply, err = c.ask(ctx, request, fds...); err != nil {
		return nil, err
	}
	opened, err := want(reply, msgSessionOpened)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.taken = &ProtocolError{"the connection has a session"}
	c.mu.Unlock()
	s := &ClientSession{
		client: c, id: opened.value, pid: int(alive.value), stdio: stdio,
		ttyFailed: make(chan struct{}), done: make(chan struct{}),
	}
	go s.watch()
	return s, nil
}

// watch takes the master's reports. It ends when the master closes the
// connection, or Close does.
func (s *ClientSession) watch() {
	defer close(s.done)
	defer s.client.c.Close()
	s.status, s.err = 255, ErrNoExitStatus
	if s.stdio {
		s.status, s.err = 0, nil
	}
	for {
		b, err := readFrame(s.client.c, nil)
		if err != nil {
			return
		}
		if err := s.report(b); err != nil {
			s.status, s.err = 255, err
			return
		}
	}
}

// report takes one message. An exit status is the end only when the connection
// is closed: until then the master delivers output.
func (s *ClientSession) report(b []byte) error {
	m, err := parseReply(b)
	if err != nil {
		return err
	}
	r, ok := m.(*plainReply)
	switch {
	case !ok || r.kind != msgExit && r.kind != msgTTYAllocFail:
		return &ProtocolError{fmt.Sprintf("unexpected %T during a session", m)}
	case r.id != s.id:
		return &ProtocolError{fmt.Sprintf("report on unknown session: my id %d theirs %d", s.id, r.id)}
	case r.kind == msgExit:
		s.status, s.err = int(r.value), nil
	default:
		s.ttyOnce.Do(func() { close(s.ttyFailed) })
	}
	return nil
}

// ID is the master's number of the session.
func (s *ClientSession) ID() uint32 { return s.id }

// MasterPID is the master's process, to which SIGWINCH is to be relayed.
func (s *ClientSession) MasterPID() int { return s.pid }

// TTYFailed is closed when the server gave no terminal: raw mode has to end.
// The master has written why to the session's standard error.
func (s *ClientSession) TTYFailed() <-chan struct{} { return s.ttyFailed }

// Done is closed when the session has ended.
func (s *ClientSession) Done() <-chan struct{} { return s.done }

// Wait returns the exit status when the session has ended. Without one it is
// 255, and the error ErrNoExitStatus. A stdio forwarding ends with 0.
func (s *ClientSession) Wait() (int, error) {
	<-s.done
	return s.status, s.err
}

// Close leaves the session; the master ends it. Wait then returns.
func (s *ClientSession) Close() error {
	err := s.client.c.Close()
	<-s.done
	return err
}
