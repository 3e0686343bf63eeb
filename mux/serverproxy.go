package mux

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// proxy serves the connection protocol from here on. x/crypto gives no access to
// packets, so each channel of the client is joined with a channel to the server.
func (c *serverConn) proxy(m *plainRequest) error {
	switch {
	case c.session != nil:
		return c.refuseProxy(c.refuse(m, "Multiple sessions not supported"))
	case !c.confirm("Allow multiplex proxy connection?"):
		return c.refuseProxy(c.deny(m))
	}
	server, err := c.s.current(c.ctx)
	if err != nil {
		return c.refuseProxy(c.refuse(m, "Session open refused by peer"))
	}
	if err := c.write(&plainReply{kind: msgProxyReply, id: m.id}); err != nil {
		return err
	}
	c.work.Wait() // read has ended behind the request
	setNoDeadline(c.c)
	conn, channels, requests, err := proxyConn(c.c)
	if err != nil {
		return err
	}
	p := &proxyClient{
		s: c.s, ctx: c.ctx, agent: c.agent, conn: conn, server: server,
		forwards: make(map[forward.Addr]net.Listener),
	}
	stop := context.AfterFunc(c.ctx, func() { conn.Close() })
	defer stop()
	p.work.Add(2)
	go p.serveRequests(requests)
	go p.awaitLoss()
	for open := range channels {
		p.work.Add(1)
		go p.serveChannel(open)
	}
	p.closeForwards()
	waitFor(&p.work, unresponsive)
	return errDone
}

// refuseProxy goes on with the mux protocol.
func (c *serverConn) refuseProxy(err error) error {
	if err == nil {
		c.startReading()
	}
	return err
}

// proxyClient is a client in proxy mode.
type proxyClient struct {
	s      *Server
	ctx    context.Context // ends with the client
	agent  string          // the socket of the client's agent, or ""
	conn   ssh.Conn        // towards the client
	server Connection
	work   sync.WaitGroup

	mu       sync.Mutex
	ended    bool
	forwards map[forward.Addr]net.Listener
}

// awaitLoss ends the client with the connection that serves it, or ends with
// the client.
func (p *proxyClient) awaitLoss() {
	defer p.work.Done()
	ended := make(chan struct{})
	go func() { // ends with the client's connection
		p.conn.Wait()
		close(ended)
	}()
	select {
	case <-p.server.Done():
		p.conn.Close()
	case <-ended:
	}
}

// serveRequests answers global requests. It ends with the client.
func (p *proxyClient) serveRequests(requests <-chan *ssh.Request) {
	defer p.work.Done()
	defer p.contain()
	for r := range requests {
		var ok bool
		var reply []byte
		switch r.Type {
		case "tcpip-forward", "streamlocal-forward@openssh.com":
			ok, reply = p.openForward(r)
		case "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
			ok = p.closeForward(r)
		default:
			// Nothing else is passed on: keepalives ask whether we are
			// there, no-more-sessions is not for one client to say, and
			// the rest concerns the connection as a whole.
		}
		r.Reply(ok, reply)
	}
}

// serveChannel carries one channel of the client. It ends with the channel.
func (p *proxyClient) serveChannel(open ssh.NewChannel) {
	defer p.work.Done()
	defer p.contain()
	server, serverRequests, err := p.server.OpenChannel(open.ChannelType(), open.ExtraData())
	if err != nil {
		reason, text := ssh.ConnectionFailed, "no connection"
		if refused, ok := err.(*ssh.OpenChannelError); ok {
			reason, text = refused.Reason, refused.Message
		}
		open.Reject(reason, text)
		return
	}
	client, clientRequests, err := open.Accept()
	if err != nil {
		go ssh.DiscardRequests(serverRequests)
		server.Close()
		return
	}
	l := &proxyLink{p: p, client: client, server: server, asking: make(chan struct{}, 1)}
	l.run(clientRequests, serverRequests)
}

// contain is deferred by the goroutines of a proxy client, so that a panic ends
// this client only.
func (p *proxyClient) contain() {
	if r := recover(); r != nil {
		p.s.panicked(r)
		p.conn.Close()
	}
}

// proxyLink joins a channel of a client with a channel to the server.
type proxyLink struct {
	p              *proxyClient
	client, server ssh.Channel
	asking         chan struct{} // holds a token while the server's answer is on its way
}

// run ends when both channels are closed. Each side's close is passed on when
// everything that came before it has been.
func (l *proxyLink) run(clientRequests, serverRequests <-chan *ssh.Request) {
	var outputs, inputs, requests sync.WaitGroup
	outputs.Go(func() { io.Copy(l.client, l.server) })
	outputs.Go(func() { io.Copy(l.client.Stderr(), l.server.Stderr()) })
	inputs.Go(func() { io.Copy(l.server, l.client); l.server.CloseWrite() })
	inputs.Go(func() { io.Copy(io.Discard, l.client.Stderr()) })
	delivered := make(chan struct{})
	go func() { // ends with the server's data, or with the client
		outputs.Wait()
		l.client.CloseWrite() // of both streams: the protocol has one EOF
		close(delivered)
	}()
	requests.Go(func() {
		l.ask(clientRequests)
		// The client closed the channel. A program that reads nothing may
		// keep its last input from being sent.
		waitFor(&inputs, linger)
		l.server.Close()
	})
	requests.Go(func() {
		for r := range serverRequests {
			repeat(r, l.client)
		}
		<-delivered
		// The server answered before it closed: to a program that has ended
		// already, say, that it was started.
		l.asking <- struct{}{}
		l.client.Close()
		<-l.asking
	})
	requests.Wait()
	inputs.Wait()
}

// ask passes the client's requests on. It ends when the client has closed the
// channel.
func (l *proxyLink) ask(requests <-chan *ssh.Request) {
	defer l.p.contain()
	for r := range requests {
		if !l.permitted(r) {
			r.Reply(false, nil)
			continue
		}
		l.asking <- struct{}{}
		repeat(r, l.server)
		<-l.asking
	}
}

// repeat makes a request on the other channel and brings the answer back.
func repeat(r *ssh.Request, to ssh.Channel) {
	ok, _ := to.SendRequest(r.Type, r.WantReply, r.Payload)
	r.Reply(ok, nil)
}

// permitted reports whether a request may be passed on. Requests for agent
// forwarding are refused if the master would not serve the channels.
func (l *proxyLink) permitted(r *ssh.Request) bool {
	if r.Type != "auth-agent-req@openssh.com" {
		return true
	}
	allow := l.p.s.opts.ForwardAgent
	return allow != nil && allow(l.p.ctx, l.p.agent)
}

// The bodies of forwarding requests and channels (RFC 4254, section 7; OpenSSH
// PROTOCOL, section 2.4).
type (
	forwardTCP struct {
		Host string
		Port uint32
	}
	forwardedTCP struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	forwardSocket   struct{ Path string }
	forwardedSocket struct{ Path, Reserved string }
)

// listenAddr reads where a client wants the server to listen.
func listenAddr(r *ssh.Request) (addr forward.Addr, ok bool) {
	if r.Type == "tcpip-forward" || r.Type == "cancel-tcpip-forward" {
		var m forwardTCP
		err := ssh.Unmarshal(r.Payload, &m)
		return forward.Addr{Host: m.Host, Port: int(m.Port)}, err == nil && m.Port <= 65535
	}
	var m forwardSocket
	err := ssh.Unmarshal(r.Payload, &m)
	return forward.Addr{Socket: m.Path}, err == nil && m.Path != ""
}

// openForward has the server listen, on the connection that all share.
func (p *proxyClient) openForward(r *ssh.Request) (ok bool, reply []byte) {
	addr, ok := listenAddr(r)
	if !ok || !p.s.confirmForward(p.ctx, addr) {
		return false, nil
	}
	network, text := "tcp", net.JoinHostPort(addr.Host, strconv.Itoa(addr.Port))
	if addr.Socket != "" {
		network, text = "unix", addr.Socket
	}
	ln, err := p.server.Forwards().Listen(p.ctx, network, text)
	if err != nil {
		p.s.log.Debug("mux: forwarding for a proxy client", "listen", text, "error", err)
		return false, nil
	}
	if addr.Socket == "" && addr.Port == 0 {
		addr.Port = tcpPort(ln.Addr())
		reply = ssh.Marshal(struct{ Port uint32 }{uint32(addr.Port)})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.forwards[addr]; taken || p.ended {
		go ln.Close()
		return false, nil
	}
	p.forwards[addr] = ln
	p.work.Add(1)
	go p.acceptForwarded(ln, addr)
	return true, reply
}

func tcpPort(a net.Addr) int {
	_, port, _ := net.SplitHostPort(a.String())
	n, _ := strconv.Atoi(port)
	return n
}

func (s *Server) confirmForward(ctx context.Context, addr forward.Addr) bool {
	if s.opts.Confirm == nil {
		return true
	}
	what := s.describe(forward.Spec{Kind: forward.Remote, Listen: addr})
	return s.opts.Confirm(ctx, "Open "+what+" on "+s.opts.Host+"?")
}

func (p *proxyClient) closeForward(r *ssh.Request) bool {
	addr, ok := listenAddr(r)
	if !ok {
		return false
	}
	p.mu.Lock()
	ln, ok := p.forwards[addr]
	delete(p.forwards, addr)
	p.mu.Unlock()
	if ok {
		ln.Close()
	}
	return ok
}

// closeForwards frees the server's ports after the client.
func (p *proxyClient) closeForwards() {
	p.mu.Lock()
	p.ended = true
	open := p.forwards
	p.forwards = nil
	p.mu.Unlock()
	for _, ln := range open {
		ln.Close()
	}
}

// acceptForwarded ends when the listener is closed.
func (p *proxyClient) acceptForwarded(ln net.Listener, addr forward.Addr) {
	defer p.work.Done()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		p.work.Add(1)
		go p.serveForwarded(c, addr)
	}
}

// serveForwarded carries one connection that the server accepted. It ends with
// the connection.
func (p *proxyClient) serveForwarded(c net.Conn, addr forward.Addr) {
	defer p.work.Done()
	defer c.Close()
	name, payload := "forwarded-tcpip", ssh.Marshal(&forwardedTCP{addr.Host, uint32(addr.Port), "127.0.0.1", 65535})
	if host, port, err := net.SplitHostPort(c.RemoteAddr().String()); err == nil {
		n, _ := strconv.ParseUint(port, 10, 16)
		payload = ssh.Marshal(&forwardedTCP{addr.Host, uint32(addr.Port), host, uint32(n)})
	}
	if addr.Socket != "" {
		name, payload = "forwarded-streamlocal@openssh.com", ssh.Marshal(&forwardedSocket{Path: addr.Socket})
	}
	ch, requests, err := p.conn.OpenChannel(name, payload)
	if err != nil {
		return
	}
	var gone, up sync.WaitGroup
	gone.Go(func() { ssh.DiscardRequests(requests) })
	gone.Go(func() { io.Copy(io.Discard, ch.Stderr()) })
	up.Go(func() {
		io.Copy(c, ch)
		if w, ok := c.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		}
	})
	io.Copy(ch, c)
	ch.CloseWrite()
	up.Wait()
	ch.Close()
	gone.Wait()
}
