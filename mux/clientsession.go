package mux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// ClientSession is the session of a passenger.
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

// NewSession requests a session with the given descriptors for standard input,
// output and error. It returns when the server has confirmed the session. It
// returns a *RefusedError if the master refuses, and otherwise the errors of
// Connect.
//
// The caller keeps the descriptors, and enters raw mode now: the master does not
// change the modes of a terminal.
func (c *Client) NewSession(ctx context.Context, req SessionRequest, fds [3]int) (*ClientSession, error) {
	return c.attach(ctx, func(id uint32) message { return &sessionMessage{id, req} }, fds[:], false)
}

// StdioForward requests a connection to target that uses the given descriptors for
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

// watch handles the messages of the master. It ends when the master or Close
// closes the connection.
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

// report handles a message. An exit status does not end the session: the master
// may still deliver output until the connection is closed.
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

// ID returns the number of the session in the master.
func (s *ClientSession) ID() uint32 { return s.id }

// MasterPID returns the process id of the master, to which SIGWINCH must be
// relayed.
func (s *ClientSession) MasterPID() int { return s.pid }

// TTYFailed returns a channel that is closed if the server refused a terminal. Raw
// mode must end then. The master has written the reason to the session's standard
// error.
func (s *ClientSession) TTYFailed() <-chan struct{} { return s.ttyFailed }

// Done returns a channel that is closed when the session has ended.
func (s *ClientSession) Done() <-chan struct{} { return s.done }

// Wait blocks until the session has ended, and returns its exit status. Without an
// exit status it returns 255 and ErrNoExitStatus. The status of a stdio forwarding
// is 0.
func (s *ClientSession) Wait() (int, error) {
	<-s.done
	return s.status, s.err
}

// Close leaves the session, which the master then ends, and unblocks Wait.
func (s *ClientSession) Close() error {
	err := s.client.c.Close()
	<-s.done
	return err
}

// Stay blocks until the master exits. It is for clients whose forwardings the
// master holds (ssh -N). Its error wraps ErrMasterGone, ErrTimeout if the master
// no longer answers, or is the cause of ctx. The Client cannot be used afterwards.
func (c *Client) Stay(ctx context.Context) error {
	for {
		if err := c.awaitClose(ctx); err != nil {
			return explain(ctx, ctx, err)
		}
		limited, cancel := context.WithTimeout(ctx, helloTimeout)
		_, err := c.Alive(limited)
		cancel()
		if err != nil {
			return err
		}
	}
}

// awaitClose waits for the end of the connection, with a limit, since a master
// closes the connections of silent clients.
func (c *Client) awaitClose(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken != nil {
		return c.taken
	}
	c.c.SetDeadline(time.Now().Add(stayInterval))
	release := c.interruptible(ctx)
	n, err := c.c.Read(make([]byte, 1))
	release()
	switch {
	case n > 0:
		return &ProtocolError{"a message that nobody asked for"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}
