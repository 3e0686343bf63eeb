package forward

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// openLocal starts a Local or Dynamic.
func (f *Forwarder) openLocal(ctx context.Context, spec Spec, opts Options) (*Forward, error) {
	listen := func() ([]net.Listener, []BindError, error) { return f.listenLocal(ctx, spec.Listen, opts) }
	if opts.Sockets != nil {
		fresh := listen
		listen = func() ([]net.Listener, []BindError, error) { return opts.Sockets.listen(fresh) }
	}
	lns, failed, err := listen()
	if err != nil {
		return nil, err
	}
	if spec.Listen.Socket == "" {
		spec.Listen.Port = lns[0].Addr().(*net.TCPAddr).Port
	}
	fwd := f.newForward(spec, opts)
	fwd.failedBinds = failed
	for _, ln := range lns {
		n := f.numbers.take()
		fwd.listeners = append(fwd.listeners, n)
		opts.notify(ListenerOpened{fwd.Spec(), ln.Addr(), n})
	}
	front := &localFront{forward: fwd, lns: lns, closing: make(chan struct{})}
	for _, ln := range lns {
		front.loops.Go(func() { front.accept(ln) })
	}
	if err := fwd.listening(front); err != nil {
		return nil, err
	}
	return fwd, nil
}

// listenLocal listens on each address that a stands for.
func (f *Forwarder) listenLocal(ctx context.Context, a Addr, opts Options) ([]net.Listener, []BindError, error) {
	if a.Socket == "" {
		return f.listenTCP(ctx, a, opts)
	}
	ln, err := listenSocket(ctx, a.Socket, opts)
	if err != nil {
		return nil, nil, err
	}
	return []net.Listener{ln}, nil, nil
}

// localFront is the listeners of a Local or Dynamic.
type localFront struct {
	forward *Forward
	lns     []net.Listener
	loops   sync.WaitGroup
	once    sync.Once
	closing chan struct{}
}

func (l *localFront) addrs() []net.Addr {
	var out []net.Addr
	for _, ln := range l.lns {
		out = append(out, ln.Addr())
	}
	return out
}

func (l *localFront) close() error {
	var errs []error
	l.once.Do(func() {
		close(l.closing)
		for _, ln := range l.lns {
			errs = append(errs, ln.Close())
		}
	})
	l.loops.Wait()
	return errors.Join(errs...)
}

// accept takes connections until the listener is closed. Each is served in a
// goroutine of its own, so that a target that is slow to answer holds up
// nobody else.
func (l *localFront) accept(ln net.Listener) {
	const first, most = 5 * time.Millisecond, time.Second
	pause := first
	for {
		c, err := ln.Accept()
		if err == nil {
			pause = first
			if link, ok := l.forward.begin(c.RemoteAddr(), c.LocalAddr()); ok {
				go l.forward.serveLocal(link, c)
			} else {
				c.Close()
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Most likely there are no descriptors left. Like OpenSSH, wait
		// for some to be freed rather than give up or spin.
		l.forward.log.Warn("accept failed", "error", err, "pause", pause)
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-l.closing:
		}
		wait.Stop()
		pause = min(2*pause, most)
	}
}

// serveLocal carries one accepted connection. It ends with it.
func (f *Forward) serveLocal(l *link, c net.Conn) {
	stop := context.AfterFunc(f.cut, func() { reset(c) })
	err := f.carryLocal(l, c)
	stop()
	if f.cut.Err() != nil {
		reset(c) // what was to do it may have been stopped in time
	}
	c.Close()
	f.finish(l, err)
}

// carryLocal connects c to its target and pumps. Nothing is read from c before
// the server has confirmed, except what a SOCKS client sends: early data waits
// in the kernel.
func (f *Forward) carryLocal(l *link, c net.Conn) error {
	target := f.spec.Connect
	var request *socksRequest
	if f.socks {
		var err error
		if request, err = negotiateConn(c); err != nil {
			return err
		}
		target = request.target
	}
	l.target.Store(&target)
	remote, err := f.open(target, c.RemoteAddr())
	if request != nil {
		if werr := request.reply(c, err); err == nil && werr != nil {
			remote.Close()
			return werr
		}
	}
	if err != nil {
		return err
	}
	f.connected(l)
	p := &pump{local: c, remote: remote, link: l}
	if request != nil {
		p.fromLocal = request.early
	}
	p.run(f.cut)
	return nil
}

// open opens a channel when there is a slot for it.
func (f *Forward) open(target Addr, origin net.Addr) (*stream, error) {
	select {
	case f.slots <- struct{}{}:
	case <-f.ctx.Done():
		return nil, context.Cause(f.ctx)
	}
	defer func() { <-f.slots }()
	return f.owner.openChannel(f.ctx, target, originOf(origin))
}

// bindAddr is one address on which a local listener is made.
type bindAddr struct {
	network string // tcp4 or tcp6, so that each family has a socket of its own
	host    string
}

// bindAddrs gives the addresses that a listening Addr stands for, as OpenSSH's
// channel_fwd_bind_addr chooses them for a client: without bind address
// loopback, or every interface with GatewayPorts; for an empty one and * every
// interface; for localhost the loopback of each family; otherwise what was
// named.
func bindAddrs(ctx context.Context, a Addr, opts Options) ([]bindAddr, error) {
	var all []bindAddr
	switch {
	case a.Host == "" && (a.EmptyHost || opts.GatewayPorts), a.Host == "*":
		all = []bindAddr{{"tcp4", "0.0.0.0"}, {"tcp6", "::"}}
	case a.Host == "", a.Host == "localhost":
		all = []bindAddr{{"tcp6", "::1"}, {"tcp4", "127.0.0.1"}} // getaddrinfo's order
	default:
		ips, err := opts.names.LookupNetIP(ctx, "ip", a.Host)
		if err != nil {
			return nil, err
		}
		for _, ip := range ips {
			network := "tcp6"
			if ip.Is4() {
				network = "tcp4"
			}
			all = append(all, bindAddr{network, ip.String()})
		}
	}
	var out []bindAddr
	for _, b := range all {
		if n := opts.network(); n == "tcp" || n == b.network {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return nil, &net.AddrError{Err: "no address of the wanted family", Addr: a.Host}
	}
	return out, nil
}

// listenTCP listens on each address that a stands for. As with OpenSSH one
// success is enough: a machine without IPv6 still forwards on IPv4.
//
// Port 0, which the parser does not allow but a program may use, is the same
// free port on each address.
//
// failed are the addresses that could not be had beside those that could.
func (f *Forwarder) listenTCP(ctx context.Context, a Addr, opts Options) (lns []net.Listener, failed []BindError, err error) {
	binds, err := bindAddrs(ctx, a, opts)
	if err != nil {
		return nil, nil, &ListenError{Addr: a, Err: err}
	}
	const tries = 10 // until a port is free in both families
	for range tries {
		lns, failed = listenEach(ctx, binds, a.Port)
		if len(failed) == 0 {
			return lns, nil, nil
		}
		err = failed[len(failed)-1].Err
		taken := errors.Is(err, syscall.EADDRINUSE)
		if len(lns) > 0 && !(taken && a.Port == 0) {
			f.log.Log(ctx, levelDebug2, "not listening on every address", "listen", a.String(), "error", err)
			return lns, failed, nil
		}
		for _, ln := range lns {
			ln.Close()
		}
		if len(lns) == 0 {
			break
		}
	}
	return nil, nil, &ListenError{Addr: a, Binds: failed, Err: err}
}

// listenEach listens on every address that lets it, and tells of the others.
func listenEach(ctx context.Context, binds []bindAddr, port int) (lns []net.Listener, failed []BindError) {
	var lc net.ListenConfig
	for i, b := range binds {
		ln, err := lc.Listen(ctx, b.network, net.JoinHostPort(b.host, strconv.Itoa(port)))
		if err != nil {
			failed = append(failed, BindError{b.host, port, i == len(binds)-1, err})
			continue
		}
		lns = append(lns, ln)
		port = ln.Addr().(*net.TCPAddr).Port
	}
	return lns, failed
}
