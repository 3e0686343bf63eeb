package mux

import (
	"context"
	"errors"
	"io"
	"os"
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

// pipeChannel is a channel whose data goes through pipes, of which the master
// has the other ends.
type pipeChannel struct {
	in       *os.File // to the program's standard input
	out, err *os.File // from its output; err is nil without standard error
	requests chan *ssh.Request

	mu      sync.Mutex
	session *ClientSession // once it has begun
	closed  bool
	ended   bool // requests is closed
}

// farEnds are the ends of the pipes that the master gets.
type farEnds struct{ in, out, err *os.File }

func (f *farEnds) stdin() int  { return int(f.in.Fd()) }
func (f *farEnds) stdout() int { return int(f.out.Fd()) }
func (f *farEnds) stderr() int { return int(f.err.Fd()) }

// close closes this process's copies.
func (f *farEnds) close() {
	for _, file := range []*os.File{f.in, f.out, f.err} {
		if file != nil {
			file.Close()
		}
	}
}

// newPipeChannel makes the pipes, with one for standard error if stderr is set.
func newPipeChannel(stderr bool) (*pipeChannel, *farEnds, error) {
	ch, far := &pipeChannel{requests: make(chan *ssh.Request, 1)}, new(farEnds)
	var err1, err2, err3 error
	far.in, ch.in, err1 = os.Pipe()
	ch.out, far.out, err2 = os.Pipe()
	if stderr {
		ch.err, far.err, err3 = os.Pipe()
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		ch.closePipes()
		far.close()
		return nil, nil, err
	}
	return ch, far, nil
}

// begin notes the session. When it ends, report makes the last request, and the
// stream of requests is closed.
func (ch *pipeChannel) begin(c *passengerConn, s *ClientSession, report func(status int) *ssh.Request) {
	ch.mu.Lock()
	ch.session = s
	closed := ch.closed
	ch.mu.Unlock()
	running := c.spawn(func() {
		stop := context.AfterFunc(c.ctx, func() { s.Close() })
		defer stop()
		status, err := s.Wait()
		if err != nil || report == nil {
			ch.endRequests(nil)
			return
		}
		ch.endRequests(report(status))
	})
	if closed || !running {
		s.Close()
	}
	if !running {
		ch.endRequests(nil)
	}
}

// endRequests closes the stream of requests, after last if that is not nil.
func (ch *pipeChannel) endRequests(last *ssh.Request) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.ended {
		return
	}
	ch.ended = true
	if last != nil {
		ch.requests <- last // there is room for one
	}
	close(ch.requests)
}

func (ch *pipeChannel) closePipes() {
	for _, file := range []*os.File{ch.in, ch.out, ch.err} {
		if file != nil {
			file.Close()
		}
	}
}

// Read returns io.EOF when the master has closed its end.
func (ch *pipeChannel) Read(p []byte) (int, error) { return readPipe(ch.out, p) }

func readPipe(f *os.File, p []byte) (int, error) {
	n, err := f.Read(p)
	if errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func (ch *pipeChannel) Write(p []byte) (int, error) {
	n, err := ch.in.Write(p)
	if err != nil {
		err = io.EOF // as x/crypto has it for a channel that has ended
	}
	return n, err
}

// CloseWrite closes the program's standard input.
func (ch *pipeChannel) CloseWrite() error {
	if err := ch.in.Close(); err != nil {
		return io.EOF
	}
	return nil
}

// Close leaves the session, which the master then ends.
func (ch *pipeChannel) Close() error {
	ch.mu.Lock()
	again, s := ch.closed, ch.session
	ch.closed = true
	ch.mu.Unlock()
	if again {
		return io.EOF
	}
	ch.in.Close()
	if s == nil {
		ch.closePipes()
		ch.endRequests(nil)
		return nil
	}
	err := s.Close()
	ch.closePipes()
	return err
}

// Stderr returns the program's standard error. Nothing can be written to it.
func (ch *pipeChannel) Stderr() io.ReadWriter { return stderrPipe{ch} }

type stderrPipe struct{ ch *pipeChannel }

func (s stderrPipe) Read(p []byte) (int, error) {
	if s.ch.err == nil {
		return 0, io.EOF
	}
	return readPipe(s.ch.err, p)
}

func (stderrPipe) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// SendRequest sends nothing: the master has no way for it.
func (ch *pipeChannel) SendRequest(string, bool, []byte) (bool, error) { return false, nil }
