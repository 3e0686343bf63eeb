package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
)

// errFault is the cause of the end of a connection that Faults ended.
var errFault = errors.New("sshtest: ended by Faults")

// Conn is one connection to the server.
type Conn struct {
	// ID counts the server's connections from 1.
	ID int

	// SSH is x/crypto's connection: user, addresses, session id, and a way to
	// open channels and to send requests to the client. Do not use its Wait.
	SSH *ssh.ServerConn

	srv    *Server
	nc     net.Conn
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}

	wg            sync.WaitGroup // everything that the connection started
	globalReplies atomic.Int64
	aliveSent     atomic.Int64
	aliveAnswered atomic.Int64

	mu             sync.Mutex
	opened         int // channels opened by the client so far
	openedByServer int
	sessions       map[*Session]bool
	noMoreSessions bool
	forwards       map[string]net.Listener
}

// User returns the name that the client logged in with.
func (c *Conn) User() string { return c.SSH.User() }

// Kill closes the network connection without a word. Nothing is sent once it
// has returned.
func (c *Conn) Kill() {
	c.cancel(errors.New("sshtest: killed"))
	c.nc.Close()
}

// Done is closed when the connection has ended and its goroutines too.
func (c *Conn) Done() <-chan struct{} { return c.done }

// NoMoreSessions tells whether the client has sent
// no-more-sessions@openssh.com.
func (c *Conn) NoMoreSessions() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noMoreSessions
}

// serve runs one connection from accept to end.
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

// sendDisconnect serves a connection up to the stage of Faults.Disconnect and
// ends it there. It works on packets, since x/crypto sends no such message.
func (c *Conn) sendDisconnect() error {
	o := &c.srv.opts
	at, key := o.Faults.Disconnect.At, c.srv.hostKeys[0]
	if at == StageVersion {
		rc, err := rawssh.Greet(c.nc, key, o.Version)
		if err != nil {
			return err
		}
		return c.disconnect(rc)
	}
	rc, err := rawssh.Accept(c.nc, key, o.Version)
	if err != nil {
		return err
	}
	if at == StageAuth {
		if err := rc.AcceptService(); err != nil {
			return err
		}
		return c.disconnect(rc)
	}
	if _, err := rc.Authenticate(); err != nil {
		return err
	}
	return c.disconnect(rc)
}

// disconnect sends Faults.Disconnect and reads on until the client has closed:
// bytes unread at our close could make the kernel throw the message away.
func (c *Conn) disconnect(rc *rawssh.Conn) error {
	d := c.srv.opts.Faults.Disconnect
	if err := rc.Disconnect(d.Reason, d.Message); err != nil {
		return err
	}
	if hc, ok := c.nc.(interface{ CloseWrite() error }); ok {
		hc.CloseWrite()
	}
	io.Copy(io.Discard, c.nc)
	return errFault
}

// reach is called at each stage and does what Faults asks for there.
func (c *Conn) reach(stage Stage) error {
	f := c.srv.opts.Faults
	switch stage {
	case f.CloseAt:
		c.cancel(errFault)
		c.nc.Close() // at once: what cancel starts comes a little later
		return errFault
	case f.StallAt:
		<-c.ctx.Done()
		return context.Cause(c.ctx)
	}
	return nil
}

// serveChannels serves an authenticated connection until it ends.
func (c *Conn) serveChannels(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) error {
	if err := c.reach(StageSession); err != nil {
		// Only a drained connection can end.
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

// globalRequest is a request on its way to globalLoop.
type globalRequest struct {
	*ssh.Request
	record Record
}

// receive puts on record what comes, and hands it on, until the connection
// ends. x/crypto delivers channels and requests apart; but all channels that
// came before a request are there when the request is. The order matters to
// no-more-sessions@openssh.com, which OpenSSH sends right behind its session.
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

// openPending opens the channels that are there already. It returns nil in
// place of chans if that has ended.
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

// globalLoop answers global requests, in order; it ends with the connection.
func (c *Conn) globalLoop(asked <-chan globalRequest) {
	for req := range asked {
		ok, payload, answer := c.judge(req.record, func() (bool, []byte) { return c.global(req.Request) })
		if answer && req.WantReply {
			c.globalReplies.Add(1)
			req.Reply(ok, payload)
		}
	}
}

// note puts a request or the opening of a channel on record.
func (c *Conn) note(r Record) Record {
	r.At = time.Now()
	c.srv.journal.record(r)
	c.srv.log.Debug("client asks", "conn", c.ID, "channel", r.Channel, "type", r.Type, "wantReply", r.WantReply)
	return r
}

// judge asks OnRequest about a request; act does what the server does. The
// answer is to be sent only if answer is true.
func (c *Conn) judge(r Record, act func() (bool, []byte)) (ok bool, payload []byte, answer bool) {
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

// sleep waits; it returns false if the connection ended first.
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

// global does what a global request asks for.
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
	// keepalive@openssh.com among them: sshd answers it with failure too.
	return false, nil
}

// open decides about a channel that the client opens. It does not block:
// slow openings go on in goroutines, which end with the connection.
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

// server decides what is to become of a channel, by the state of the
// connection as it is now, and returns what serves it until it has ended.
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
