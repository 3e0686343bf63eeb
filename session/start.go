package session

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"

	"golang.org/x/crypto/ssh"
)

// Start opens the channel, sends all requests at once and returns when the server
// has confirmed the start of the program. The error is an [*ssh.OpenChannelError]
// if the server refused the channel, a [*RequestError] if it refused to start the
// program, the error of the context, or the reason why the connection ended.
func (c *Cmd) Start() error {
	if c.ctx == nil || c.conn == nil {
		return errors.New("session: not made by Command or Subsystem")
	}
	if c.ended != nil {
		return errors.New("session: already started")
	}
	c.ended = make(chan struct{})
	c.closing.Lock()
	c.ctx, c.cancel = context.WithCancelCause(c.caller)
	if c.stopCause() != nil { // Close was called before
		c.cancel(c.stopCause())
	}
	c.closing.Unlock()
	c.startErr = c.start()
	close(c.begun)
	return c.startErr
}

// start does the work of Start.
func (c *Cmd) start() error {
	ch, reqs, err := c.open()
	if err != nil {
		c.cancel(err)
		return err
	}
	c.ch = ch
	c.stopCtx = context.AfterFunc(c.ctx, func() { ch.Close() })
	go c.serveRequests(reqs)
	if c.OnOpened != nil {
		c.OnOpened()
	}
	if err := c.requestAll(); err != nil {
		err = c.cause(err)
		c.cancel(err) // which closes the channel, without waiting for it
		return err
	}
	if c.OnStarted != nil {
		c.OnStarted()
	}
	c.startPumps()
	return nil
}

// requestAll calls request and returns early if the context ends, which x/crypto
// does not look at. The goroutine ends with the answer, or when the channel is
// closed by both sides, which the end of the context begins.
func (c *Cmd) requestAll() error {
	done := make(chan error, 1)
	go func() { done <- c.request() }()
	select {
	case err := <-done:
		return err
	case <-c.ctx.Done():
		return c.contextError()
	}
}

// opened is the result of OpenChannel.
type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// open opens the channel and returns early if the context ends. x/crypto's
// OpenChannel takes no context, so the goroutine goes on to wait, and closes a
// channel that comes too late.
func (c *Cmd) open() (ssh.Channel, <-chan *ssh.Request, error) {
	if err := c.contextError(); err != nil {
		return nil, nil, err
	}
	result := make(chan opened)
	go openChannel(c.ctx, c.conn, result)
	select {
	case r := <-result:
		if r.err != nil {
			return nil, nil, c.openError(r.err)
		}
		return r.ch, r.reqs, nil
	case <-c.ctx.Done():
		return nil, nil, c.contextError()
	}
}

// openChannel ends when the server has answered or the connection has ended.
func openChannel(ctx context.Context, conn Conn, result chan<- opened) {
	ch, reqs, err := conn.OpenChannel("session", nil)
	select {
	case result <- opened{ch, reqs, err}:
	case <-ctx.Done():
		if err == nil {
			go ssh.DiscardRequests(reqs)
			ch.Close()
		}
	}
}

// openError returns the reason why the connection ended, if it did, in place of
// x/crypto's error.
func (c *Cmd) openError(err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return err
	}
	return c.cause(err)
}

// request sends all requests. Only the last one wants an answer: x/crypto lets one
// request of a channel wait at a time (channel.SendRequest holds a lock until the
// answer comes), so a second answer would cost a round trip.
func (c *Cmd) request() error {
	type req struct {
		name    string
		payload []byte
	}
	var all []req
	if c.ForwardAgent && c.servesAgent() {
		all = append(all, req{"auth-agent-req@openssh.com", nil})
	}
	if c.X11 != nil && !c.restricted() {
		all = append(all, req{"x11-req", c.X11.marshal()})
	}
	if c.TTY != nil {
		all = append(all, req{"pty-req", c.TTY.Marshal()})
	}
	for _, v := range c.Env {
		all = append(all, req{"env", ssh.Marshal(v)})
	}
	for _, r := range all {
		if err := c.sendRequest(r.name, r.payload); err != nil {
			return err
		}
	}
	name, payload := c.program()
	ok, err := c.ch.SendRequest(name, true, payload)
	if err != nil {
		return err
	}
	if !ok {
		return &RequestError{Request: name}
	}
	return nil
}

// sendRequest does not wait for an answer, except for a pty-req or an x11-req with
// a Refused function, which costs a round trip.
func (c *Cmd) sendRequest(name string, payload []byte) error {
	var refused func()
	switch {
	case name == "pty-req":
		refused = c.TTY.Refused
	case name == "x11-req":
		refused = c.X11.Refused
	}
	ok, err := c.ch.SendRequest(name, refused != nil, payload)
	if err == nil && refused != nil && !ok {
		refused()
	}
	return err
}

// servesAgent reports whether the connection serves agent channels.
func (c *Cmd) servesAgent() bool {
	s, ok := c.conn.(agentServer)
	return !ok || s.ServesAgent(c.ctx)
}

// restricted reports whether nothing may be forwarded to the server.
func (c *Cmd) restricted() bool {
	r, ok := c.conn.(restricted)
	return ok && r.Restricted()
}

// program returns the request that starts the program (RFC 4254, section 6.5).
func (c *Cmd) program() (name string, payload []byte) {
	line := ssh.Marshal(struct{ Line string }{c.Line})
	switch {
	case c.Subsystem:
		return "subsystem", line
	case c.Line != "":
		return "exec", line
	}
	return "shell", nil
}

// ttyOpEnd ends encoded terminal modes.
const ttyOpEnd = 0

// Marshal returns the body of pty-req.
func (t *TTY) Marshal() []byte {
	modes := t.EncodedModes
	if len(modes) == 0 {
		for _, opcode := range slices.Sorted(maps.Keys(t.Modes)) {
			modes = binary.BigEndian.AppendUint32(append(modes, opcode), t.Modes[opcode])
		}
		modes = append(modes, ttyOpEnd)
	}
	return ssh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{t.Term, t.Size.Columns, t.Size.Rows, t.Size.Width, t.Size.Height, string(modes)})
}

func (x *X11) marshal() []byte {
	return ssh.Marshal(struct {
		Single   bool
		Protocol string
		Cookie   string
		Screen   uint32
	}{x.SingleConnection, x.AuthProtocol, x.AuthCookie, x.Screen})
}

// cause returns why the channel ended, for which x/crypto has io.EOF only: the
// error of the context, the reason why the connection ended, or else err.
func (c *Cmd) cause(err error) error {
	var refused *RequestError
	if errors.As(err, &refused) {
		return err
	}
	if ended := c.contextError(); ended != nil {
		return ended
	}
	if lost := connectionEnd(c.ctx, c.conn); lost != nil {
		return lost
	}
	if errors.Is(err, io.EOF) {
		return ErrNoStatus
	}
	return err
}
