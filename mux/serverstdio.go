package mux

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// openStdio connects the client's standard input and output to a target (-W).
func (c *serverConn) openStdio(m *stdioMessage, fds []int) error {
	target := forward.Addr{Host: m.host, Port: int(m.port)}
	question, args := "Allow forward to %s:%d? ", []any{m.host, m.port}
	if m.port == portSocket {
		target = forward.Addr{Socket: m.host}
		question, args = "Allow forward to path %s", []any{m.host}
	}
	s, ok, err := c.passenger(m, fds, question, args...)
	if !ok {
		return err
	}
	s.target = target
	conn, err := c.s.current(s.ctx)
	if err != nil {
		s.leave()
		return c.refuse(m, "Session open refused by peer")
	}
	s.takeID(conn)
	f, err := conn.Forwards().OpenStdio(s.ctx, target)
	if err != nil {
		s.leave()
		var refused *forward.OpenError
		if errors.As(err, &refused) {
			return c.refuse(m, "Session open refused by peer")
		}
		return err
	}
	if err := c.write(&plainReply{msgSessionOpened, m.id, s.id}); err != nil {
		f.Close()
		s.leave()
		return err
	}
	c.run(s, func() { s.runStdio(f) })
	return nil
}

// runStdio ends with the connection, or with the client.
func (s *ServerSession) runStdio(f *forward.StdioForward) {
	stop := context.AfterFunc(s.ctx, func() { f.Close() })
	defer stop()
	out := &stdioOutput{Output: s.outs[0], fd: s.takeOutput()}
	defer out.Close()
	err := f.Run(stdioInput{s.in}, out)
	if err != nil {
		s.client.s.log.Debug("mux: stdio forwarding ended", "session", s.id, "error", err)
	}
}

// takeOutput gives the descriptor of the standard output to whoever closes it
// before the session ends.
func (s *ServerSession) takeOutput() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd := s.fds[1]
	s.fds = s.fds[:1]
	return fd
}

// stdioInput lets Run end a Read.
type stdioInput struct{ Input }

func (i stdioInput) SetReadDeadline(time.Time) error {
	i.Cancel()
	return nil
}

// stdioOutput passes the end of the target's data on by closing the descriptor.
type stdioOutput struct {
	Output
	fd   int
	once sync.Once
}

func (o *stdioOutput) Close() error {
	err := o.Output.Close()
	o.once.Do(func() { closeFD(o.fd) })
	return err
}
