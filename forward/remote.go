package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// Global requests of RFC 4254 section 7.1 and of OpenSSH's PROTOCOL section 2.4.
const (
	reqListenTCP    = "tcpip-forward"
	reqCancelTCP    = "cancel-tcpip-forward"
	reqListenSocket = "streamlocal-forward@openssh.com"
	reqCancelSocket = "cancel-streamlocal-forward@openssh.com"
)

// listenPayload is the body of tcpip-forward and cancel-tcpip-forward.
type listenPayload struct {
	Host string
	Port uint32
}

// wireHost is the address to ask a server to bind, as RFC 4254 section 7.1
// names them and OpenSSH's channel_rfwd_bind_host sends them: without bind
// address "localhost" (the server's GatewayPorts decides), every interface "".
func wireHost(a Addr) string {
	switch {
	case a.Host == "*":
		return ""
	case a.Host == "" && !a.EmptyHost:
		return "localhost"
	}
	return a.Host
}

// remoteListener is a listener on the server.
type remoteListener struct {
	forwarder *Forwarder
	entry     *entry
}

// listenRemote asks the server to listen on a, and gives take the channels that
// come of it. If ctx ends first and the server says yes later, it is told to
// stop again.
func (f *Forwarder) listenRemote(ctx context.Context, a Addr, take func(incoming)) (*remoteListener, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	l := &remoteListener{f, &entry{host: wireHost(a), addr: a, take: take}}
	f.registry.add(l.entry)
	asked, abandoned := make(chan error), make(chan struct{})
	go l.ask(asked, abandoned)
	select {
	case err := <-asked:
		if err != nil {
			return nil, err
		}
		return l, nil
	case <-ctx.Done():
		close(abandoned)
		return nil, context.Cause(ctx)
	}
}

// ask sends the request. It ends when the server has answered or the SSH
// connection has ended.
func (l *remoteListener) ask(asked chan<- error, abandoned <-chan struct{}) {
	err := l.request()
	if err != nil {
		l.forwarder.registry.remove(l.entry)
	}
	select {
	case asked <- err:
	case <-abandoned:
		if err == nil {
			l.forwarder.registry.remove(l.entry)
			l.cancel()
		}
	}
}

func (l *remoteListener) request() error {
	a := l.entry.addr
	name, payload := reqListenTCP, ssh.Marshal(&listenPayload{l.entry.host, uint32(a.Port)})
	if a.Socket != "" {
		name, payload = reqListenSocket, ssh.Marshal(&struct{ Path string }{a.Socket})
	}
	ok, reply, err := l.forwarder.conn.SendRequest(name, true, payload)
	switch {
	case err != nil:
		return l.forwarder.lostBy(err)
	case !ok:
		return &RefusedError{a}
	case a.Socket != "" || a.Port != 0:
		return nil
	}
	var chosen struct{ Port uint32 }
	if err := ssh.Unmarshal(reply, &chosen); err != nil || chosen.Port == 0 || chosen.Port > 65535 {
		return fmt.Errorf("forward: the server answers %s with a bad port", name)
	}
	l.forwarder.registry.resolve(l.entry, int(chosen.Port))
	return nil
}

// cancel asks the server to stop listening and waits for its answer. A refusal
// is only logged: there is nothing left to be done about it.
func (l *remoteListener) cancel() {
	a := l.entry.addr
	name, payload := reqCancelTCP, ssh.Marshal(&listenPayload{l.entry.host, uint32(a.Port)})
	if a.Socket != "" {
		name, payload = reqCancelSocket, ssh.Marshal(&struct{ Path string }{a.Socket})
	}
	ok, _, err := l.forwarder.conn.SendRequest(name, true, payload)
	if err == nil && !ok {
		l.forwarder.log.Warn("the server refuses to stop listening", "listen", a.String())
	}
}

// cancelAndTell ends with the server's answer or with the SSH connection.
func (l *remoteListener) cancelAndTell(cancelled chan<- struct{}) {
	l.cancel()
	close(cancelled)
}

// close stops listening. It waits for the server's answer, so that the port is
// free afterwards, but not for ever.
func (l *remoteListener) close() error {
	l.forwarder.registry.remove(l.entry)
	if l.forwarder.ctx.Err() != nil {
		return nil
	}
	cancelled := make(chan struct{})
	go l.cancelAndTell(cancelled)
	limit := time.NewTimer(unresponsive)
	defer limit.Stop()
	select {
	case <-cancelled:
		return nil
	case <-l.forwarder.lost:
		return nil
	case <-limit.C:
		return ErrUnresponsive
	}
}

// addrs returns the address as it was asked for, and the port that was chosen.
func (l *remoteListener) addrs() []net.Addr { return []net.Addr{l.addr()} }

func (l *remoteListener) addr() net.Addr {
	l.forwarder.registry.mu.Lock()
	defer l.forwarder.registry.mu.Unlock()
	a := l.entry.addr
	if a.Socket != "" {
		return &net.UnixAddr{Name: a.Socket, Net: "unix"}
	}
	return tcpAddr(l.entry.host, a.Port)
}

// openRemote starts a Remote.
func (f *Forwarder) openRemote(ctx context.Context, spec Spec, opts Options) (*Forward, error) {
	fwd := f.newForward(spec, opts)
	l, err := f.listenRemote(ctx, spec.Listen, fwd.takeRemote)
	if err != nil {
		fwd.discard()
		return nil, err
	}
	fwd.mu.Lock() // there may be connections already
	fwd.spec.Listen.Port = l.entry.addr.Port
	fwd.mu.Unlock()
	if err := fwd.listening(l); err != nil {
		return nil, err
	}
	return fwd, nil
}

// takeRemote starts serving a connection that the server has accepted.
func (f *Forward) takeRemote(in incoming) {
	l, ok := f.begin(in.origin, in.bound())
	if !ok {
		in.reject(ssh.Prohibited, "no such forwarding")
		return
	}
	go f.serveRemote(l, in)
}

// serveRemote carries one connection of the server. It ends with it.
func (f *Forward) serveRemote(l *link, in incoming) {
	var err error
	if f.socks {
		err = f.carryRemoteSOCKS(l, in)
	} else {
		err = f.carryRemote(l, in)
	}
	f.finish(l, err)
}

// carryRemote confirms the channel once the target is connected, so that the
// server's client sees whether it is.
func (f *Forward) carryRemote(l *link, in incoming) error {
	target := f.spec.Connect
	l.target.Store(&target)
	c, err := f.dialTarget(target)
	if err != nil {
		in.reject(ssh.ConnectionFailed, refusalText(err))
		return err
	}
	remote, err := in.accept()
	if err != nil {
		reset(c)
		return err
	}
	f.connected(l)
	p := &pump{local: c, remote: remote, link: l}
	p.run(f.cut)
	return nil
}

// carryRemoteSOCKS asks the server's client by SOCKS where it wants to go.
func (f *Forward) carryRemoteSOCKS(l *link, in incoming) error {
	remote, err := in.accept()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(f.cut, func() { remote.Close() })
	c, request, err := f.connectSOCKS(l, remote)
	stop()
	if err != nil {
		remote.Close()
		<-remote.gone
		return err
	}
	f.connected(l)
	p := &pump{local: c, remote: remote, link: l, fromRemote: request.early}
	p.run(f.cut)
	return nil
}

func (f *Forward) connectSOCKS(l *link, remote *stream) (net.Conn, *socksRequest, error) {
	request, err := negotiateStream(remote)
	if err != nil {
		return nil, nil, err
	}
	target := request.target
	l.target.Store(&target)
	if !f.opts.Permit.Allows(target.Host, target.Port) {
		request.reply(remote, &OpenError{Target: target, Reason: ssh.Prohibited})
		return nil, nil, ErrNotPermitted
	}
	c, err := f.dialTarget(target)
	if rerr := request.reply(remote, err); err == nil && rerr != nil {
		c.Close()
		return nil, nil, rerr
	}
	return c, request, err
}

// dialTarget connects to a target on this side.
func (f *Forward) dialTarget(a Addr) (net.Conn, error) {
	if a.Socket != "" {
		return f.opts.dial(f.ctx, "unix", a.Socket)
	}
	return f.opts.dial(f.ctx, f.opts.network(), net.JoinHostPort(a.Host, strconv.Itoa(a.Port)))
}

// refusalText is what the server is told of a failed connect: the system's
// words, as OpenSSH sends them, and not the addresses that Go puts around them.
func refusalText(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return "connect failed"
}
