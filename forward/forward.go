package forward

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// unresponsive is how long Close waits for the server to confirm the end of channels
// and of a listener. In x/crypto, a read of a channel ends only with the server's
// answer or with the connection.
const unresponsive = 5 * time.Second

// Forward is an open forwarding.
type Forward struct {
	owner *Forwarder
	spec  Spec // mu protects Listen.Port until the port is known
	socks bool // spec.SOCKS()
	opts  Options
	log   *slog.Logger
	front front

	failedBinds []BindError
	listeners   []int // numbers of the local listeners

	// ctx is for connections that are being opened. It ends with the SSH
	// connection or in Close. cut ends only in Close: when the SSH connection is
	// lost, established connections still deliver received data.
	ctx    context.Context
	cancel context.CancelCauseFunc
	cut    context.Context
	cutNow context.CancelCauseFunc

	unwatch func() bool   // stops watching ctx
	slots   chan struct{} // one for each open that the server has not answered

	done  chan struct{} // closed when it no longer listens
	ended chan struct{} // closed when it no longer listens and no connection is left

	mu       sync.Mutex
	stopping bool
	settled  bool
	err      error
	links    map[uint64]*link
	accepted uint64
	failed   uint64
}

// levelDebug2 is a level below slog.LevelDebug, for messages about events of Notify.
const levelDebug2 = slog.LevelDebug - 1

// front is the listening part of a forwarding.
type front interface {
	addrs() []net.Addr
	// close stops listening, and returns when no more connections can arrive.
	close() error
}

// maxOpening is the maximum number of outstanding channel opens of one forwarding.
// Further connections wait. It is far above what a browser needs, and prevents that a
// target that does not answer uses all channels of the server.
const maxOpening = 256

// newForward returns a Forward that does not listen yet.
func (f *Forwarder) newForward(spec Spec, opts Options) *Forward {
	fwd := &Forward{
		owner: f,
		spec:  spec,
		socks: spec.SOCKS(),
		opts:  opts,
		log:   f.log.With("forward", spec.Kind.String(), "listen", spec.Listen.String()),
		slots: make(chan struct{}, maxOpening),
		done:  make(chan struct{}),
		ended: make(chan struct{}),
		links: make(map[uint64]*link),
	}
	fwd.ctx, fwd.cancel = context.WithCancelCause(f.ctx)
	fwd.cut, fwd.cutNow = context.WithCancelCause(context.Background())
	return fwd
}

// listening is called once, when the front listens. From then on the end of the SSH
// connection stops the forwarding.
func (f *Forward) listening(front front) error {
	f.front = front
	f.unwatch = context.AfterFunc(f.ctx, f.connectionEnded)
	if err := f.owner.add(f); err != nil {
		f.close()
		return err
	}
	return nil
}

// discard frees a Forward that does not listen.
func (f *Forward) discard() {
	f.cutNow(ErrClosed)
	f.cancel(ErrClosed)
}

func (f *Forward) connectionEnded() { f.stop(context.Cause(f.ctx)) }

// Spec returns the requested specification. If the port was 0, it has the port that
// the server has chosen.
func (f *Forward) Spec() Spec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spec
}

// Addrs returns the addresses on which the forwarding listens. For a Remote these are
// the requested addresses on the server.
func (f *Forward) Addrs() []net.Addr { return f.front.addrs() }

// BindErrors returns the errors of the addresses on which listening failed. Open is
// successful if it succeeds on one address.
func (f *Forward) BindErrors() []BindError { return f.failedBinds }

// Done returns a channel that is closed when the forwarding no longer listens.
func (f *Forward) Done() <-chan struct{} { return f.done }

// Err returns why the forwarding stopped listening: ErrClosed after Stop or Close, or
// ErrConnectionLost with its cause. It returns nil while the forwarding listens.
func (f *Forward) Err() error {
	select {
	case <-f.done:
		return f.err
	default:
		return nil
	}
}

// Stop stops listening and leaves established connections alone, as OpenSSH's
// -O cancel does. It returns when no further connection will be accepted. For
// a server that does not answer it waits five seconds, and then the error is
// ErrUnresponsive.
func (f *Forward) Stop() error {
	f.closeSockets()
	return f.stop(ErrClosed)
}

// closeSockets closes Options.Sockets, unless the forwarding has stopped: then
// the sockets may serve the next connection.
func (f *Forward) closeSockets() {
	if f.opts.Sockets == nil {
		return
	}
	f.mu.Lock()
	stopping := f.stopping
	f.mu.Unlock()
	if !stopping {
		f.opts.Sockets.Close()
	}
}

func (f *Forward) stop(cause error) error {
	f.mu.Lock()
	if f.stopping {
		f.mu.Unlock()
		<-f.done
		return nil
	}
	f.stopping, f.err = true, cause
	f.mu.Unlock()
	err := f.front.close()
	addrs := f.front.addrs()
	for i, n := range f.listeners {
		f.opts.notify(ListenerClosed{f.Spec(), addrs[i], n, f.owner.numbers.give(n)})
	}
	close(f.done)
	f.settle()
	return err
}

// Close stops listening, resets every connection and waits until they are gone.
// For a server that does not answer it waits five seconds, and then the error
// is ErrUnresponsive; the goroutines end with the SSH connection.
func (f *Forward) Close() error {
	f.closeSockets()
	return f.close()
}

// close is Close without closing Options.Sockets.
func (f *Forward) close() error {
	f.unwatch() // it is for us to stop it, and to return the error
	f.discard()
	limit := time.NewTimer(unresponsive)
	defer limit.Stop()
	err := f.stop(ErrClosed)
	select {
	case <-f.ended:
	case <-limit.C:
		err = cmp.Or(err, ErrUnresponsive)
	}
	return err
}

// settle notices the end of the last connection of a forwarding that stopped.
func (f *Forward) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping && len(f.links) == 0 && !f.settled && f.notListening() {
		f.settled = true
		f.owner.remove(f)
		f.cancel(f.err) // frees the context's place in its parent
		close(f.ended)
	}
}

func (f *Forward) notListening() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// begin enters a connection, unless the forwarding is ending.
func (f *Forward) begin(origin, local net.Addr) (*link, bool) {
	l := &link{id: f.owner.newID(), origin: origin.String(), since: time.Now(), from: origin, local: local}
	if !f.enter(l) {
		return nil, false
	}
	f.opts.notify(ConnStarted{f.Spec(), l.number, origin, local})
	return l, true
}

func (f *Forward) enter(l *link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return false
	}
	l.number = f.owner.numbers.take()
	f.links[l.id] = l
	f.accepted++
	return true
}

// connected is called when a connection has reached its target.
func (f *Forward) connected(l *link) {
	f.opts.notify(ConnConnected{f.Spec(), l.number, *l.target.Load()})
}

// finish takes a connection out again. err is why it never became one.
func (f *Forward) finish(l *link, err error) {
	if err != nil && f.opts.OnFailure != nil {
		failure := ConnFailure{Spec: f.Spec(), Channel: l.number, Err: err}
		if t := l.target.Load(); t != nil {
			failure.Target = *t
		}
		f.opts.OnFailure(failure)
	}
	ended := ConnEnded{Spec: f.Spec(), Channel: l.number, Origin: l.from, Local: l.local}
	if t := l.target.Load(); t != nil {
		ended.Target = *t
	}
	ended.Open = f.owner.numbers.give(l.number)
	f.opts.notify(ended)
	f.mu.Lock()
	delete(f.links, l.id)
	if err != nil {
		f.failed++
	}
	f.mu.Unlock()
	in, out := l.in.Load(), l.out.Load()
	if err != nil {
		f.log.Log(context.Background(), levelDebug2, "forwarded connection failed", "id", l.id, "from", l.origin, "error", err)
	} else {
		f.log.Log(context.Background(), levelDebug2, "forwarded connection ended", "id", l.id, "from", l.origin, "in", in, "out", out)
	}
	f.settle()
}

// Snapshot returns the state of the forwarding and of its connections, for the
// escape ~# and for mux's channel listing.
func (f *Forward) Snapshot() Snapshot {
	s := Snapshot{Spec: f.Spec(), Addrs: f.Addrs()}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Stopped, s.Accepted, s.Failed = f.stopping, f.accepted, f.failed
	for _, l := range f.links {
		s.Conns = append(s.Conns, l.snapshot())
	}
	slices.SortFunc(s.Conns, func(a, b ConnSnapshot) int { return cmp.Compare(a.ID, b.ID) })
	return s
}
