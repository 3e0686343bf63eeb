package sshtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Handler runs one command, shell or subsystem and returns its end. The
// session's context ends when the client closes the channel, when the
// connection breaks or when the server is closed; the handler has to return
// soon after.
type Handler func(*Session) Exit

// Exit is how a command ended. The zero value is exit status 0.
type Exit struct {
	Status uint32

	// Signal, if not empty, is sent as exit-signal instead of exit-status:
	// a name without SIG, as in RFC 4254, section 6.10.
	Signal     string
	CoreDumped bool
	Message    string

	// Silent closes the channel without either.
	Silent bool
}

// Status returns the Exit of a command that ended with that status.
func Status(n int) Exit { return Exit{Status: uint32(n)} }

// Window is the size of a terminal.
type Window struct{ Columns, Rows, WidthPixels, HeightPixels uint32 }

// PTY is what pty-req asked for.
type PTY struct {
	Term   string
	Window Window // at the time of pty-req; changes come from Session.Windows

	// Modes are the encoded terminal modes, by opcode (RFC 4254, section 8).
	Modes map[byte]uint32
}

// Session is a session channel on which something was started.
//
// It reads what the client sends and writes to its standard output. Read and
// Write follow the client's window: a handler that does not read fills it.
type Session struct {
	Conn    *Conn
	ID      int    // the channel, as in Record
	Kind    string // exec, shell or subsystem
	Command string // exec's command, or the subsystem's name
	Env     []string
	PTY     *PTY // nil without pty-req

	// AgentForwarding tells that auth-agent-req came before the start.
	AgentForwarding bool

	// Signals, Windows and Breaks (length in milliseconds) get what the
	// client sends while the handler runs; they hold 16 each, and what
	// comes when they are full is lost.
	Signals <-chan string
	Windows <-chan Window
	Breaks  <-chan uint32

	// EOW is closed when the client said with eow@openssh.com that it no
	// longer reads; from then on Write fails with io.ErrClosedPipe.
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
	started bool // a handler runs, or has run
}

// errChannelClosed is the cause of the end of a session's context.
var errChannelClosed = errors.New("sshtest: channel closed")

// Context ends with the channel.
func (s *Session) Context() context.Context { return s.ctx }

// Channel is the channel itself, for what Session has no method for.
func (s *Session) Channel() ssh.Channel { return s.ch }

// Read reads the command's standard input.
func (s *Session) Read(p []byte) (int, error) { return s.ch.Read(p) }

// Write writes to the command's standard output. It waits for room in the
// client's window.
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

// Stderr returns the command's standard error.
func (s *Session) Stderr() io.Writer { return stderrWriter{s} }

type stderrWriter struct{ s *Session }

func (w stderrWriter) Write(p []byte) (int, error) {
	w.s.errMu.Lock()
	defer w.s.errMu.Unlock()
	return w.s.ch.Stderr().Write(p)
}

// CloseWrite sends EOF: the client has all output, the channel stays.
func (s *Session) CloseWrite() error { return s.ch.CloseWrite() }

// sessionServer takes the place of one of MaxSessions, and returns what serves
// the channel until it is closed.
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
		s.ch = ch // anySession looks for it
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

// forget frees the session's place. Its context ends.
func (c *Conn) forget(s *Session) {
	s.cancel(errChannelClosed)
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
	c.srv.journal.touch()
}

// requestLoop answers the channel's requests, in order, until it is closed.
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
	ok, _, answer := s.Conn.judge(r, func() (bool, []byte) {
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

// request does what a channel request asks for. What it starts is returned,
// to be called after the reply: output must not overtake it.
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

// notice passes on what a client tells a running command.
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
	// keepalive@openssh.com among them, as with sshd.
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

// parseModes decodes terminal modes; opcodes from 160 on, and 0, end them.
func parseModes(b []byte) map[byte]uint32 {
	modes := make(map[byte]uint32)
	for len(b) >= 5 && b[0] != 0 && b[0] < 160 {
		modes[b[0]] = binary.BigEndian.Uint32(b[1:])
		b = b[5:]
	}
	return modes
}

// start prepares h to run; one command a channel.
func (s *Session) start(kind, command string, h Handler) (bool, func()) {
	if h == nil {
		return false, nil
	}
	s.started, s.Kind, s.Command = true, kind, command
	return true, func() { s.Conn.wg.Go(func() { s.run(h) }) }
}

// run runs the handler and sends its end: the status before EOF and close, so
// that a client which stops at either has it.
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
	// A client that has got our close may open its next session at once.
	s.Conn.forget(s)
	s.ch.Close()
}

// handler is what runs exec and shell requests.
func (s *Server) handler() Handler {
	if s.opts.Handler != nil {
		return s.opts.Handler
	}
	return runProcess
}
