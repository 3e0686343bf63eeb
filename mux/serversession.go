package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/session"
)

// ServerSession is a passenger's session in the master: a program on the
// server, or a stdio forwarding.
type ServerSession struct {
	client *serverConn
	id     uint32
	req    SessionRequest
	target forward.Addr // of a stdio forwarding

	ctx    context.Context // ends with the session or the client
	cancel context.CancelCauseFunc
	stop   func() bool // undoes the watching of ctx
	free   func() int  // gives id back, if that was taken

	fds  []int
	in   Input
	outs []Output // standard output, and error

	cmd   *session.Cmd
	err   error       // of Start, and then of Wait
	ended func(error) // see ServerOptions.SessionOpened

	mu   sync.Mutex
	size session.Size
}

// ID is the number that the client was told.
func (s *ServerSession) ID() uint32 { return s.id }

// Request is what the client asked for.
func (s *ServerSession) Request() SessionRequest { return s.req }

// Target is where a stdio forwarding goes, zero for any other session.
func (s *ServerSession) Target() forward.Addr { return s.target }

// Command is the session on the connection; nil for a stdio forwarding.
func (s *ServerSession) Command() *session.Cmd { return s.cmd }

// Stderr writes to the client's standard error.
func (s *ServerSession) Stderr() io.Writer {
	if len(s.outs) < 2 {
		return io.Discard
	}
	return s.outs[1]
}

// Close ends the session: the client exits with 255. It does not wait.
func (s *ServerSession) Close() error {
	s.cancel(errDone)
	return nil
}

// newSession opens the descriptors that a client passed, which become the
// session's to close.
func (c *serverConn) newSession(fds []int) (*ServerSession, error) {
	s := &ServerSession{client: c, fds: fds}
	s.ctx, s.cancel = context.WithCancelCause(c.ctx)
	open := c.s.opts.Descriptors
	var err error
	if s.in, err = open.OpenInput(fds[0]); err != nil {
		s.release()
		return nil, err
	}
	for _, fd := range fds[1:] {
		out, err := open.OpenOutput(fd)
		if err != nil {
			s.release()
			return nil, err
		}
		s.outs = append(s.outs, out)
	}
	s.stop = context.AfterFunc(s.ctx, s.interrupt)
	return s, nil
}

// interrupt ends what waits for the client's descriptors: a client that was
// stopped, or killed, takes nothing any more.
func (s *ServerSession) interrupt() {
	s.in.Cancel()
	for _, out := range s.outs {
		out.Cancel()
	}
}

// release gives the descriptors back. Nothing reads or writes them any more
// when it returns.
func (s *ServerSession) release() {
	s.cancel(errDone)
	if s.stop != nil {
		s.stop()
	}
	if s.in != nil {
		s.in.Close()
	}
	for _, out := range s.outs {
		out.Close()
	}
	for _, fd := range s.fds {
		closeFD(fd)
	}
	s.fds = nil
}

// passenger is what a session and a stdio forwarding have in common before
// anything is opened. ok is false if the client has had its answer.
func (c *serverConn) passenger(m message, fds []int, question string, args ...any) (s *ServerSession, ok bool, err error) {
	reason := ""
	switch {
	case c.session != nil:
		reason = "Multiple sessions not supported"
	case c.s.opts.Descriptors == nil:
		reason = "Passing file descriptors is not supported"
	case !c.confirm(question, args...):
		closeAll(fds)
		return nil, false, c.deny(m)
	}
	if reason != "" {
		closeAll(fds)
		return nil, false, c.refuse(m, reason)
	}
	if s, err = c.newSession(fds); err != nil {
		c.s.log.Debug("mux: descriptors", "error", err)
		return nil, false, c.refuse(m, "did not receive file descriptors")
	}
	return s, true, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		closeFD(fd)
	}
}

// openSession starts a program and answers. The session then runs by itself.
func (c *serverConn) openSession(m *sessionMessage, fds []int) error {
	s, ok, err := c.passenger(m, fds, "Allow shared connection to %s? ", c.s.opts.Host)
	if !ok {
		return err
	}
	conn, err := c.s.current(s.ctx)
	if err != nil {
		s.leave()
		return c.refuse(m, "Session open refused by peer")
	}
	s.req = m.req
	s.takeID(conn)
	s.prepare(conn)
	// As with OpenSSH the client is told before the program is asked for: it has
	// that time to make its terminal raw, and once the program may run it does
	// not go and run it on a connection of its own.
	opened := false
	s.cmd.OnOpened = func() {
		opened = true
		if tell := c.s.opts.SessionOpened; tell != nil {
			s.ended = tell(s.cmd)
		}
		c.write(&plainReply{msgSessionOpened, m.id, s.id})
	}
	err = s.cmd.Start()
	s.err = err
	var refused *session.RequestError
	var notOpened *ssh.OpenChannelError
	switch {
	case err == nil:
		c.run(s, s.runCommand)
		s.resize() // what happened since prepare
		return nil
	case errors.As(err, &notOpened):
		err = c.refuse(m, "Session open refused by peer")
	case errors.As(err, &refused):
		// What failed goes to the client's stderr, as for a terminal.
		fmt.Fprintf(s.Stderr(), "%s request failed\r\n", refused.Request)
		err = errDone
	case opened: // otherwise it makes a connection of its own
		s.sayFarewell(err)
	}
	s.leave()
	return err
}

// takeID gives the session the number of a channel.
func (s *ServerSession) takeID(conn Connection) {
	number, free := conn.Forwards().Number()
	s.id, s.free = uint32(number), free
}

// prepare makes the command that the client wants.
func (s *ServerSession) prepare(conn Connection) {
	opts := &s.client.s.opts
	if s.req.Subsystem {
		s.cmd = session.Subsystem(s.ctx, conn, s.req.Command)
	} else {
		s.cmd = session.Command(s.ctx, conn, s.req.Command)
	}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.in, s.outs[0], s.outs[1]
	s.cmd.Env = slices.DeleteFunc(slices.Clone(s.req.Env), func(v session.EnvVar) bool {
		return opts.PermitEnv != nil && !opts.PermitEnv(v.Name)
	})
	s.cmd.Env = append(s.cmd.Env, opts.SetEnv...)
	s.cmd.ForwardAgent = s.req.Agent && opts.ForwardAgent != nil && opts.ForwardAgent(s.ctx, s.client.agent)
	if s.req.X11 && opts.X11 != nil {
		s.cmd.X11 = opts.X11(s.ctx)
	}
	if !s.req.TTY {
		return
	}
	s.size, _ = opts.Descriptors.Size(s.fds[0])
	s.cmd.TTY = &session.TTY{Term: s.req.Term, Size: s.size, EncodedModes: opts.Descriptors.Modes(s.fds[0]), Refused: s.ttyRefused}
	if s.req.EscapeChar > 0 && opts.Escapes != nil {
		s.cmd.Stdin = opts.Escapes(s, s.in, byte(s.req.EscapeChar))
	}
}

// ttyRefused tells the client, which leaves raw mode. As with OpenSSH it is the
// master that writes why.
func (s *ServerSession) ttyRefused() {
	s.client.write(&plainReply{kind: msgTTYAllocFail, id: s.id})
	io.WriteString(s.Stderr(), "PTY allocation request failed\r\n")
}

// resize tells the server the size of the client's terminal, if it is new.
func (s *ServerSession) resize() {
	if s.cmd == nil || !s.req.TTY {
		return
	}
	s.mu.Lock()
	size, changed := s.size, false
	if s.fds != nil {
		now, ok := s.client.s.opts.Descriptors.Size(s.fds[0])
		if changed = ok && now != size; changed {
			s.size, size = now, now
		}
	}
	s.mu.Unlock()
	if changed {
		s.cmd.Resize(size)
	}
}

// run has a session run apart from the requests of its client, whose
// connection ends with it.
func (c *serverConn) run(s *ServerSession, body func()) {
	c.session = s
	c.mu.Lock()
	c.shown = s
	c.mu.Unlock()
	c.s.enter(s)
	c.addBusy(+1)
	c.work.Add(1)
	go func() { // ends with the session
		defer c.work.Done()
		body()
		s.leave()
		c.cancel(errDone)
	}()
}

// leave takes the session out of the server.
func (s *ServerSession) leave() {
	s.client.s.remove(s)
	if s.ended != nil {
		s.ended(s.err)
	}
	s.mu.Lock() // resize uses the descriptors
	defer s.mu.Unlock()
	s.release()
	if s.free != nil {
		s.free()
	}
}

// sayFarewell has an Output of its own, for the session's may be interrupted
// already. It does not wait for a client that is stopped.
func (s *ServerSession) sayFarewell(err error) {
	opts := &s.client.s.opts
	if opts.ExitMessage == nil {
		return
	}
	text := opts.ExitMessage(err)
	if text == "" {
		return
	}
	out, err := opts.Descriptors.OpenOutput(s.fds[2])
	if err != nil {
		return
	}
	defer out.Close()
	defer time.AfterFunc(farewellTimeout, out.Cancel).Stop()
	io.WriteString(out, text)
}

// outputLost is the exit status of a program that ended well, but part of whose
// output the client's descriptors did not take.
const outputLost = 255

// runCommand waits for the program and tells the client its exit status. A
// program that ended by a signal has none, and the client exits with 255.
func (s *ServerSession) runCommand() {
	err := s.cmd.Wait()
	s.err = err
	var exit *session.ExitError
	var output *session.OutputError
	status := uint32(0)
	switch {
	case errors.As(err, &output) && output.Lost():
		s.sayFarewell(err)
		status = outputLost
	case err == nil, output != nil:
	case errors.As(err, &exit) && exit.Signal == "":
		status = uint32(exit.Status)
	default:
		s.client.s.log.Debug("mux: session ended without status", "session", s.id, "error", err)
		s.sayFarewell(err)
		return
	}
	s.client.write(&plainReply{msgExit, s.id, status})
}

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
