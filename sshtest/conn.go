package sshtest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Conn is one connection to the server.
type Conn struct {
	// ID counts the server's connections from 1.
	ID int

	// SSH is x/crypto's connection. It has the user, the addresses and the
	// session ID, and opens channels and sends requests to the client. Its Wait
	// must not be called.
	SSH *ssh.ServerConn

	srv    *Server
	nc     net.Conn
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}

	wg            sync.WaitGroup // all goroutines of the connection
	globalReplies atomic.Int64
	aliveSent     atomic.Int64
	aliveAnswered atomic.Int64

	mu             sync.Mutex
	opened         int // the number of channels that the client has opened
	openedByServer int
	sessions       map[*Session]bool
	noMoreSessions bool
	forwards       map[string]net.Listener
}

// User returns the name of the user who logged in.
func (c *Conn) User() string { return c.SSH.User() }

// Kill closes the network connection without sending anything.
func (c *Conn) Kill() {
	c.cancel(errors.New("sshtest: killed"))
	c.nc.Close()
}

// Done returns a channel that is closed when the connection and its goroutines
// have ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// NoMoreSessions reports whether the client has sent
// no-more-sessions@openssh.com.
func (c *Conn) NoMoreSessions() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noMoreSessions
}

// serve serves one connection until it ends, and returns the reason.
func (s *Server) serve(nc net.Conn) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.mu.Lock()
	s.lastID++
	c := &Conn{
		ID: s.lastID, srv: s, ctx: ctx, cancel: cancel, done: make(chan struct{}),
		nc:       limitConn(nc, s.opts.Faults),
		sessions: make(map[*Session]bool), forwards: make(map[string]net.Listener),
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err := c.run()
	cancel(err)
	stop()
	nc.Close()
	c.wg.Wait()
	close(c.done)
	s.log.Debug("connection ended", "conn", c.ID, "cause", context.Cause(ctx))
	s.journal.touch()
	return context.Cause(ctx)
}

func (c *Conn) run() error {
	s := c.srv
	s.log.Debug("connection", "conn", c.ID, "from", c.nc.RemoteAddr().String())
	if s.opts.Takeover != nil {
		s.opts.Takeover(c.ctx, c.nc)
		return nil
	}
	if err := c.reach(StageAccept); err != nil {
		return err
	}
	if s.opts.PreVersion != "" {
		if _, err := c.nc.Write([]byte(s.opts.PreVersion)); err != nil {
			return err
		}
	}
	if s.opts.Faults.Disconnect.At != StageNone {
		return c.sendDisconnect()
	}
	config := c.config()
	if f := s.opts.Faults; f.StallAt == StageVersion || f.CloseAt == StageVersion {
		if _, err := c.nc.Write([]byte(config.ServerVersion + "\r\n")); err != nil {
			return err
		}
		return c.reach(StageVersion)
	}
	conn, chans, reqs, err := ssh.NewServerConn(c.nc, config)
	if err != nil {
		s.log.Debug("handshake failed", "conn", c.ID, "err", err)
		return err
	}
	c.SSH = conn
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	s.journal.touch()
	s.log.Debug("authenticated", "conn", c.ID, "user", conn.User())
	return c.serveChannels(chans, reqs)
}

// serveChannels serves an authenticated connection until it ends.
func (c *Conn) serveChannels(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) error {
	if err := c.reach(StageSession); err != nil {
		// The connection ends only if its channels are drained.
		c.nc.Close()
		c.wg.Go(func() { ssh.DiscardRequests(reqs) })
		for range chans {
		}
		c.SSH.Wait()
		return err
	}
	asked := make(chan globalRequest, 64)
	c.wg.Go(func() { c.globalLoop(asked) })
	if c.srv.opts.AnnounceHostKeys {
		c.announceHostKeys()
	}
	if c.srv.opts.AliveInterval > 0 {
		c.wg.Go(c.aliveLoop)
	}
	c.receive(chans, reqs, asked)
	close(asked)
	err := c.SSH.Wait()
	c.cancel(err)
	return err
}

// globalRequest is a request that globalLoop has not handled yet.
type globalRequest struct {
	*ssh.Request
	record Record
}

// receive records channel opens and requests, and passes them on, until the
// connection ends. x/crypto delivers channels and requests separately, but
// channels that came before a request are available when the request is. The
// order matters for no-more-sessions@openssh.com, which OpenSSH sends right
// after its session.
func (c *Conn) receive(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, asked chan<- globalRequest) {
	for chans != nil || reqs != nil {
		select {
		case nch, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			c.open(nch)
		case req, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			chans = c.openPending(chans)
			asked <- globalRequest{req, c.note(Record{Kind: Global, Type: req.Type, Conn: c.ID,
				WantReply: req.WantReply, Payload: req.Payload, RepliesBefore: int(c.globalReplies.Load())})}
		}
	}
}

// openPending opens the channels that are available. It returns nil in place of
// chans if that is closed.
func (c *Conn) openPending(chans <-chan ssh.NewChannel) <-chan ssh.NewChannel {
	for {
		select {
		case nch, ok := <-chans:
			if !ok {
				return nil
			}
			c.open(nch)
		default:
			return chans
		}
	}
}

// globalLoop answers global requests in order. It ends with the connection.
func (c *Conn) globalLoop(asked <-chan globalRequest) {
	for req := range asked {
		ok, payload, answer := c.react(req.record, func() (bool, []byte) { return c.global(req.Request) })
		if answer && req.WantReply {
			c.globalReplies.Add(1)
			req.Reply(ok, payload)
		}
	}
}

// note records a request or the opening of a channel.
func (c *Conn) note(r Record) Record {
	r.At = time.Now()
	c.srv.journal.record(r)
	c.srv.log.Debug("client asks", "conn", c.ID, "channel", r.Channel, "type", r.Type, "wantReply", r.WantReply)
	return r
}

// react calls OnRequest and does what it returns; act is the server's own
// handling. If answer is false, no answer is sent.
func (c *Conn) react(r Record, act func() (bool, []byte)) (ok bool, payload []byte, answer bool) {
	var do Reaction
	if c.srv.opts.OnRequest != nil {
		do = c.srv.opts.OnRequest(r)
	}
	if !c.sleep(do.After) {
		return false, nil, false
	}
	switch do.Verdict {
	case Refuse:
		return false, nil, true
	case Accept:
		return true, nil, true
	case Ignore:
		return false, nil, false
	}
	ok, payload = act()
	return ok, payload, true
}

// sleep waits for d. It returns false if the connection ends first.
func (c *Conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// global handles a global request.
func (c *Conn) global(req *ssh.Request) (bool, []byte) {
	switch req.Type {
	case "tcpip-forward":
		return c.listenTCP(req.Payload)
	case "cancel-tcpip-forward":
		return c.cancelTCP(req.Payload), nil
	case "streamlocal-forward@openssh.com":
		return c.listenUnix(req.Payload), nil
	case "cancel-streamlocal-forward@openssh.com":
		return c.cancelUnix(req.Payload), nil
	case "hostkeys-prove-00@openssh.com":
		return c.proveHostKeys(req.Payload)
	case "no-more-sessions@openssh.com":
		c.mu.Lock()
		c.noMoreSessions = true
		c.mu.Unlock()
		return true, nil
	}
	// This includes keepalive@openssh.com, which sshd answers with failure, too.
	return false, nil
}

// open handles a channel that the client opens. It does not block: goroutines,
// which end with the connection, do the rest.
func (c *Conn) open(nch ssh.NewChannel) {
	c.mu.Lock()
	c.opened++
	id := c.opened
	c.mu.Unlock()
	r := c.note(Record{Kind: Open, Type: nch.ChannelType(), Conn: c.ID, Channel: id, WantReply: true,
		Payload: nch.ExtraData()})
	var do OpenReaction
	if c.srv.opts.OnOpen != nil {
		do = c.srv.opts.OnOpen(r)
	}
	if do.Ignore {
		return
	}
	serve := func() { nch.Reject(do.Reason, do.Message) }
	if do.Reason == 0 {
		serve = c.server(nch, id)
	}
	c.wg.Go(func() {
		if c.sleep(do.After) {
			serve()
		}
	})
}

// server decides by the current state of the connection how a channel is served,
// and returns a function that serves it.
func (c *Conn) server(nch ssh.NewChannel, id int) (serve func()) {
	switch nch.ChannelType() {
	case "session":
		return c.sessionServer(nch, id)
	case "direct-tcpip":
		return func() { c.acceptDirectTCP(nch, id) }
	case "direct-streamlocal@openssh.com":
		return func() { c.acceptDirectUnix(nch, id) }
	}
	return func() { nch.Reject(ssh.UnknownChannelType, "unknown channel type "+nch.ChannelType()) }
}

// errClientLost is the reason for the end of a connection whose client did not
// answer keepalives.
var errClientLost = errors.New("sshtest: client does not answer")

// aliveLoop probes the client as sshd does: with a request on an open session
// channel, or a global one while there is none. It ends with the connection.
func (c *Conn) aliveLoop() {
	countMax := c.srv.opts.AliveCountMax
	if countMax == 0 {
		countMax = 3
	}
	answers := make(chan bool, 1)
	answers <- true // no answer is outstanding
	ticker := time.NewTicker(c.srv.opts.AliveInterval)
	defer ticker.Stop()
	missed := 0
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case <-answers:
			missed = 0
			// One at a time: x/crypto queues a second request that wants a reply
			// behind the first. The goroutine ends with the connection.
			c.wg.Go(func() { c.probe(answers) })
		default:
			if missed++; missed >= countMax {
				c.cancel(errClientLost)
				return
			}
		}
	}
}

// probe sends one keepalive and waits for any answer.
func (c *Conn) probe(answers chan<- bool) {
	c.aliveSent.Add(1)
	c.srv.journal.touch()
	var err error
	if s := c.anySession(); s != nil {
		_, err = s.ch.SendRequest("keepalive@openssh.com", true, nil)
	} else {
		_, _, err = c.SSH.SendRequest("keepalive@openssh.com", true, nil)
	}
	if err == nil {
		c.aliveAnswered.Add(1)
		c.srv.journal.touch()
	}
	// If the channel was closed meanwhile, the client is alive, too.
	answers <- true
}

// anySession returns a session channel that is open, or nil.
func (c *Conn) anySession() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		if s.ch != nil && s.ctx.Err() == nil {
			return s
		}
	}
	return nil
}

// Alive returns how many keepalive requests the server has sent, and how many
// the client has answered.
func (c *Conn) Alive() (sent, answered int) {
	return int(c.aliveSent.Load()), int(c.aliveAnswered.Load())
}
