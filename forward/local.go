package forward

import (
	"context"
	"errors"
	"net"
	"sync"
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
