package session

import (
	"context"
	"errors"
	"io"

	"golang.org/x/crypto/ssh"
)

// Start opens the channel, asks for everything in one go and returns when
// the server has confirmed the program's start. Its error is an
// [*ssh.OpenChannelError] when the channel was refused, a [*RequestError]
// when the program was, or the cause of the context or of the connection's
// end.
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
	if c.stopCause() != nil { // Close came first
		c.cancel(c.stopCause())
	}
	c.closing.Unlock()
	c.startErr = c.start()
	close(c.begun)
	return c.startErr
}

// start is Start for a Cmd that has not been started yet.
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

// requestAll is request under the context: x/crypto waits for an answer
// without one. The goroutine ends with the answer, or when the channel that
// the context's end closes is closed by the server too.
func (c *Cmd) requestAll() error {
	done := make(chan error, 1)
	go func() { done <- c.request() }()
	select {
	case err := <-done:
		return err
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// opened is what OpenChannel gives.
type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// open waits for the channel or for the context, whichever is first;
// x/crypto's OpenChannel knows no context, so a channel that comes too late
// is closed by the goroutine that waited for it.
func (c *Cmd) open() (ssh.Channel, <-chan *ssh.Request, error) {
	if err := context.Cause(c.ctx); err != nil {
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
		return nil, nil, context.Cause(c.ctx)
	}
}

// openChannel ends when the server has answered or the connection is gone.
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

// openError gives the connection's own cause where x/crypto only saw its end.
func (c *Cmd) openError(err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return err
	}
	return c.cause(err)
}

// request sends all that the program needs. Only the last one asks for an
// answer: x/crypto lets one request of a channel wait at a time
// (channel.SendRequest holds a lock until its answer), so a second answer
// would cost a round trip.
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

// sendRequest waits for no answer, except to a pty-req or an x11-req whose
// refusal has a callback: that is one round trip more.
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

// servesAgent reports whether there is a use in asking for the agent.
func (c *Cmd) servesAgent() bool {
	s, tells := c.conn.(agentServer)
	return !tells || s.ServesAgent(c.ctx)
}

func (c *Cmd) restricted() bool {
	r, tells := c.conn.(restricted)
	return tells && r.Restricted()
}

// program is the request that starts the program (RFC 4254, section 6.5).
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

// Marshal is the body of pty-req.
func (t *TTY) Marshal() []byte {
	modes := t.Modes
	if len(modes) == 0 {
		modes = []byte{0} // TTY_OP_END
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

// cause prefers what the context or the connection knows over the plain
// io.EOF that x/crypto gives for a channel that has ended.
func (c *Cmd) cause(err error) error {
	var refused *RequestError
	if errors.As(err, &refused) {
		return err
	}
	if cause := context.Cause(c.ctx); cause != nil {
		return cause
	}
	if lost := connectionEnd(c.ctx, c.conn); lost != nil {
		return lost
	}
	if errors.Is(err, io.EOF) {
		return ErrNoStatus
	}
	return err
}
