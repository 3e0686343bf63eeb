package sshtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Handler runs a command, shell or subsystem and returns how it ended. The
// session's context ends when the client closes the channel, the connection is
// lost or the server is closed; the Handler must then return soon.
type Handler func(*Session) Exit

// Exit is how a command ended. The zero value is exit status 0.
type Exit struct {
	Status uint32

	// Signal, if not empty, is sent as exit-signal instead of exit-status:
	// a name without SIG, as in RFC 4254, section 6.10.
	Signal     string
	CoreDumped bool
	Message    string

	// Silent closes the channel without a status.
	Silent bool
}

// Status returns an Exit with an exit status.
func Status(n int) Exit { return Exit{Status: uint32(n)} }

// Window is the size of a terminal.
type Window struct{ Columns, Rows, WidthPixels, HeightPixels uint32 }

// PTY is the terminal of a pty-req.
type PTY struct {
	Term   string
	Window Window // at the time of pty-req; see also Session.Windows

	// Modes are the terminal modes by opcode (RFC 4254, section 8).
	Modes map[byte]uint32
}

// Session is a session channel with a command, shell or subsystem.
//
// Read reads what the client sends, and Write writes to the standard output.
// They follow the channel's windows: a handler that does not read lets the
// window fill.
type Session struct {
	Conn    *Conn
	ID      int    // the channel, as in Record
	Kind    string // exec, shell or subsystem
	Command string // exec's command, or the subsystem's name
	Env     []string
	PTY     *PTY // nil without pty-req

	// AgentForwarding reports whether the client has sent auth-agent-req.
	AgentForwarding bool

	// Signals, Windows and Breaks (length in milliseconds) receive what the
	// client sends while the handler runs. Each holds 16 elements; more are
	// dropped.
	Signals <-chan string
	Windows <-chan Window
	Breaks  <-chan uint32

	// EOW is closed when the client has sent eow@openssh.com: it reads no more.
	// Then Write fails with io.ErrClosedPipe.
	EOW <-chan struct{}

	ch     ssh.Channel
	ctx    context.Context
	cancel context.CancelCauseFunc

	signals chan string
	windows chan Window
	breaks  chan uint32
	eow     chan struct{}
	eowOnce sync.Once
	writeMu sync.Mutex // x/crypto allows one writer at a time
	errMu   sync.Mutex

	replies atomic.Int64
	started bool // a handler was started
}

// errChannelClosed is the cause of the end of a session's context.
var errChannelClosed = errors.New("sshtest: channel closed")

// Context returns a context that ends with the channel.
func (s *Session) Context() context.Context { return s.ctx }

// Channel returns the channel.
func (s *Session) Channel() ssh.Channel { return s.ch }

// Read reads the command's standard input.
func (s *Session) Read(p []byte) (int, error) { return s.ch.Read(p) }

// Write writes to the command's standard output. It blocks until the client's
// window has room.
func (s *Session) Write(p []byte) (int, error) {
	select {
	case <-s.eow:
		return 0, io.ErrClosedPipe
	default:
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	return s.ch.Write(p)
}

// Stderr returns a writer for the command's standard error.
func (s *Session) Stderr() io.Writer { return stderrWriter{s} }

type stderrWriter struct{ s *Session }

func (w stderrWriter) Write(p []byte) (int, error) {
	w.s.errMu.Lock()
	defer w.s.errMu.Unlock()
	return w.s.ch.Stderr().Write(p)
}

// CloseWrite sends EOF: no more output follows.
func (s *Session) CloseWrite() error { return s.ch.CloseWrite() }

// sessionServer counts the session for MaxSessions, and returns a function that
// serves the channel until it is closed.
func (c *Conn) sessionServer(nch ssh.NewChannel, id int) (serve func()) {
	limit := c.srv.opts.MaxSessions
	if limit == 0 {
		limit = 10
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.noMoreSessions:
		// sshd disconnects: "Possible attack: attempt to open a session
		// after additional sessions disabled".
		return func() { c.cancel(errors.New("sshtest: session opened after no-more-sessions")) }
	case len(c.sessions) >= limit:
		return func() { nch.Reject(ssh.ConnectionFailed, "open failed") }
	}
	s := newSession(c, id)
	c.sessions[s] = true
	return func() {
		defer c.forget(s)
		ch, reqs, err := nch.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		s.ch = ch // for anySession
		c.mu.Unlock()
		s.requestLoop(reqs)
	}
}

func newSession(c *Conn, id int) *Session {
	s := &Session{Conn: c, ID: id, signals: make(chan string, 16), windows: make(chan Window, 16),
		breaks: make(chan uint32, 16), eow: make(chan struct{})}
	s.Signals, s.Windows, s.Breaks, s.EOW = s.signals, s.windows, s.breaks, s.eow
	s.ctx, s.cancel = context.WithCancelCause(c.ctx)
	return s
}

// forget ends the session's context and removes the session from the count.
func (c *Conn) forget(s *Session) {
	s.cancel(errChannelClosed)
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
	c.srv.journal.touch()
}

// requestLoop answers the channel's requests in order. It ends when the channel
// is closed.
func (s *Session) requestLoop(reqs <-chan *ssh.Request) {
	c := s.Conn
	hold := c.srv.opts.HoldReplies
	var held []func()
	for req := range reqs {
		r := c.note(Record{Kind: Channel, Type: req.Type, Conn: c.ID, Channel: s.ID, WantReply: req.WantReply,
			Payload: req.Payload, RepliesBefore: int(s.replies.Load())})
		if req.WantReply {
			hold--
		}
		held = append(held, func() { s.answer(req, r) })
		if hold > 0 {
			continue
		}
		for _, answer := range held {
			answer()
		}
		held = held[:0]
	}
}

// answer handles one request and replies to it.
func (s *Session) answer(req *ssh.Request, r Record) {
	var start func()
	ok, _, answer := s.Conn.react(r, func() (bool, []byte) {
		var ok bool
		ok, start = s.request(req)
		return ok, nil
	})
	if answer && req.WantReply {
		s.replies.Add(1)
		req.Reply(ok, nil)
	}
	if start != nil {
		start()
	}
}

// request handles a channel request. It may return a function that must be
// called after the reply, because output must not come before the reply.
func (s *Session) request(req *ssh.Request) (ok bool, start func()) {
	if s.started {
		return s.notice(req), nil
	}
	switch req.Type {
	case "env":
		var m struct{ Name, Value string }
		if ssh.Unmarshal(req.Payload, &m) != nil {
			return false, nil
		}
		s.Env = append(s.Env, m.Name+"="+m.Value)
		return true, nil
	case "pty-req":
		return s.requestPTY(req.Payload), nil
	case "auth-agent-req@openssh.com":
		s.AgentForwarding = !s.Conn.srv.opts.NoAgent
		return s.AgentForwarding, nil
	case "shell":
		return s.start("shell", "", s.Conn.srv.handler())
	case "exec":
		var m struct{ Command string }
		if ssh.Unmarshal(req.Payload, &m) != nil {
			return false, nil
		}
		return s.start("exec", m.Command, s.Conn.srv.handler())
	case "subsystem":
		var m struct{ Name string }
		if ssh.Unmarshal(req.Payload, &m) != nil {
			return false, nil
		}
		return s.start("subsystem", m.Name, s.Conn.srv.subsystem(m.Name))
	}
	return s.notice(req), nil
}

// notice passes signals, window sizes and breaks to a running command.
func (s *Session) notice(req *ssh.Request) bool {
	switch req.Type {
	case "window-change":
		var w Window
		return ssh.Unmarshal(req.Payload, &w) == nil && offer(s.windows, w)
	case "signal":
		var m struct{ Name string }
		return ssh.Unmarshal(req.Payload, &m) == nil && offer(s.signals, m.Name)
	case "break":
		var m struct{ Milliseconds uint32 }
		return ssh.Unmarshal(req.Payload, &m) == nil && offer(s.breaks, m.Milliseconds)
	case "eow@openssh.com":
		s.eowOnce.Do(func() { close(s.eow) })
		return true
	}
	// This includes keepalive@openssh.com, as in sshd.
	return false
}

func offer[T any](c chan T, v T) bool {
	select {
	case c <- v:
		return true
	default:
		return false
	}
}

func (s *Session) requestPTY(payload []byte) bool {
	var m struct {
		Term                                     string
		Columns, Rows, WidthPixels, HeightPixels uint32
		Modes                                    string
	}
	if ssh.Unmarshal(payload, &m) != nil || s.PTY != nil {
		return false
	}
	w := Window{m.Columns, m.Rows, m.WidthPixels, m.HeightPixels}
	s.PTY = &PTY{Term: m.Term, Window: w, Modes: parseModes([]byte(m.Modes))}
	return true
}

// parseModes decodes terminal modes. Opcode 0 and those from 160 on end them.
func parseModes(b []byte) map[byte]uint32 {
	modes := make(map[byte]uint32)
	for len(b) >= 5 && b[0] != 0 && b[0] < 160 {
		modes[b[0]] = binary.BigEndian.Uint32(b[1:])
		b = b[5:]
	}
	return modes
}

// start starts h. There is one command for each channel.
func (s *Session) start(kind, command string, h Handler) (bool, func()) {
	if h == nil {
		return false, nil
	}
	s.started, s.Kind, s.Command = true, kind, command
	return true, func() { s.Conn.wg.Go(func() { s.run(h) }) }
}

// run runs the handler and sends its status before EOF and close, so that a
// client that stops at either has it.
func (s *Session) run(h Handler) {
	exit := h(s)
	switch {
	case exit.Silent:
	case exit.Signal != "":
		s.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal     string
			CoreDumped bool
			Message    string
			Language   string
		}{exit.Signal, exit.CoreDumped, exit.Message, ""}))
	default:
		s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{exit.Status}))
	}
	s.ch.CloseWrite()
	// After the close the client may open its next session at once.
	s.Conn.forget(s)
	s.ch.Close()
}

// handler returns the handler of exec and shell requests.
func (s *Server) handler() Handler {
	if s.opts.Handler != nil {
		return s.opts.Handler
	}
	return runProcess
}

// Cat is a Handler that returns what it reads, until EOF.
func Cat(s *Session) Exit {
	io.Copy(s, s)
	return Exit{}
}

// Deaf is a Handler that neither reads nor writes until the channel is closed.
// The client fills its window.
func Deaf(s *Session) Exit {
	<-s.Context().Done()
	return Exit{}
}

// Say returns a Handler that writes to both streams and exits.
func Say(stdout, stderr string, exit Exit) Handler {
	return func(s *Session) Exit {
		io.WriteString(s, stdout)
		io.WriteString(s.Stderr(), stderr)
		return exit
	}
}

// Flood returns a Handler that writes that many bytes (of 'o' and 'e') to
// standard output and standard error at the same time.
func Flood(stdout, stderr int64) Handler {
	return func(s *Session) Exit {
		done := make(chan struct{})
		go func() { // ends with the bytes or the channel
			defer close(done)
			fill(s.Stderr(), 'e', stderr)
		}()
		fill(s, 'o', stdout)
		<-done
		return Exit{}
	}
}

func fill(w io.Writer, c byte, n int64) {
	block := bytes.Repeat([]byte{c}, 32<<10)
	for n > 0 {
		m, err := w.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return
		}
		n -= int64(m)
	}
}
