package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cause"
)

// KeptForward is a forward that is opened on each connection of a Kept.
type KeptForward struct {
	k    *Kept
	spec forward.Spec
	opts forward.Options
	gone chan struct{} // closed by Stop

	// The rest is guarded by k.mu.
	open    *forward.Forward
	err     error
	tried   *generation // on which it was tried last
	ports   []int       // that were chosen for port 0, the last one last
	stopped bool
}

func newKeptForward(k *Kept, spec forward.Spec, opts forward.Options) *KeptForward {
	if spec.Kind == forward.Local || spec.Kind == forward.Dynamic {
		opts.Sockets = forward.NewSockets(k.opts.AcceptWait)
	}
	return &KeptForward{k: k, spec: spec, opts: opts, gone: make(chan struct{})}
}

// ForwardState is what came of an attempt to open a forward again.
type ForwardState struct {
	Forward *KeptForward
	// Attempt counts the attempts on this connection, from 1.
	Attempt int
	// Open is the forward, nil if it was not opened: then Err is why, and
	// Until when it is tried next, zero if it is not.
	Open  *forward.Forward
	Err   error
	Until time.Time
}

// Spec returns what was asked for.
func (f *KeptForward) Spec() forward.Spec { return f.spec }

// Forward returns what is open at the moment, nil if nothing is.
func (f *KeptForward) Forward() *forward.Forward {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return f.open
}

// Err returns why the last attempt to open it failed, nil if it did not.
func (f *KeptForward) Err() error {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return f.err
}

// Ports returns the ports that were chosen, the last one last, where 0 was
// asked for: whoever was told of one knows the forward by it.
func (f *KeptForward) Ports() []int {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return slices.Clone(f.ports)
}

// Await waits until it was tried on the connection that is up, and returns what
// is open, or why it could not be opened. The error is that of the last
// attempt, ErrClosed after Stop, Err if the Kept has ended, or the cause of
// ctx.
func (f *KeptForward) Await(ctx context.Context) (*forward.Forward, error) {
	for {
		g, err := f.k.await(ctx)
		if err != nil {
			return nil, err
		}
		f.k.mu.Lock()
		tried := f.tried == g && f.k.live == g // g may be lost by now, and what was open with it
		open, err, stopped, changed := f.open, f.err, f.stopped, f.k.changed
		f.k.mu.Unlock()
		switch {
		case stopped:
			return nil, ErrClosed
		case tried:
			return open, err
		}
		select {
		case <-changed:
		case <-g.ctx.Done():
		case <-f.gone:
		case <-ctx.Done():
			return nil, cause.Of(ctx)
		}
	}
}

// Stop ends it: it is opened no more, and what is open stops listening, as
// forward.Forward's Stop does.
func (f *KeptForward) Stop() error {
	f.k.mu.Lock()
	open := f.open
	f.forget()
	f.k.mu.Unlock()
	if open == nil {
		return nil
	}
	return open.Stop()
}

// forget is called with mu held.
func (f *KeptForward) forget() {
	if f.stopped {
		return
	}
	f.stopped, f.open = true, nil
	close(f.gone)
	f.closeSockets()
	f.k.forwards = slices.DeleteFunc(f.k.forwards, func(o *KeptForward) bool { return o == f })
}

// closeSockets stops listening on this side.
func (f *KeptForward) closeSockets() {
	if f.opts.Sockets != nil {
		f.opts.Sockets.Close()
	}
}

// Forward opens a forward, waiting for a connection if there is none, and from
// then on opens it on each new one. The error is that of
// forward.Forwarder.Open, and then there is a KeptForward all the same: the
// port may be held by a connection that the server has not given up yet, so it
// is tried again, with back-off, until it is open or Stop is called. There is
// none if ctx or the Kept has ended before there was a connection.
//
// A Local or Dynamic goes on to listen during an outage. A connection that is
// accepted meanwhile waits for KeepOptions.AcceptWait at most.
//
// Where the port is 0, the one that was chosen last is asked for again; if it
// cannot be had another is chosen.
func (k *Kept) Forward(ctx context.Context, spec forward.Spec, opts forward.Options) (*KeptForward, error) {
	f := newKeptForward(k, spec, opts)
	for {
		g, err := k.await(ctx)
		if err != nil {
			return nil, err
		}
		if !k.enlist(g, f) {
			continue // lost again
		}
		defer g.work.Done()
		if err = k.open(ctx, g, f); err != nil && mends(err) {
			k.insistLater(g, f, 1, k.newBackoff())
		}
		return f, err
	}
}

// enlist makes f one of the forwards and the caller part of the work on g,
// unless that is over.
func (k *Kept) enlist(g *generation, f *KeptForward) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live != g {
		return false
	}
	k.forwards = append(k.forwards, f)
	g.work.Add(1)
	return true
}

// Forwards returns those that are opened on each connection, in the order in
// which they were added.
func (k *Kept) Forwards() []*KeptForward {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.forwards)
}

// forgetStopped leaves out, at the end of a connection, what its holder has
// stopped by forward.Forward's own methods. It is called with mu held, before
// the connection is closed, which stops all of them.
func (k *Kept) forgetStopped(g *generation) {
	closedByHolder := errors.Is(g.conn.Err(), ErrClosed)
	for _, f := range slices.Clone(k.forwards) {
		if f.open != nil && f.open.Err() == forward.ErrClosed && !closedByHolder {
			f.forget()
		}
		f.open = nil // ends with the connection
	}
}

// restore opens all forwards on a new connection, in their order. It ends when
// each was tried, or with the connection.
func (k *Kept) restore(g *generation, all []*KeptForward) {
	defer g.work.Done()
	for _, f := range all {
		k.tryAndTell(g, f, 1, k.newBackoff())
	}
}

// tryAndTell makes one attempt, tells what came of it, and sees to the next.
func (k *Kept) tryAndTell(g *generation, f *KeptForward, attempt int, pause *backoff) {
	err := k.open(g.ctx, g, f)
	if g.ctx.Err() != nil || errors.Is(err, forward.ErrClosed) || errors.Is(err, forward.ErrConnectionLost) {
		return // the connection's own end, or Stop
	}
	s := ForwardState{Forward: f, Attempt: attempt, Open: f.Forward(), Err: err}
	if mends(err) {
		s.Until = k.insistLater(g, f, attempt, pause)
	}
	k.telling.Lock()
	defer k.telling.Unlock()
	k.opts.OnForward(s)
}

// mends says whether time may mend what kept a forward from being opened.
func mends(err error) bool {
	var refused *forward.RefusedError
	var listen *forward.ListenError
	return errors.As(err, &refused) || errors.As(err, &listen)
}

// insistLater sees to an attempt after the failed one, and returns when that
// will be. The caller is part of g's work.
func (k *Kept) insistLater(g *generation, f *KeptForward, attempt int, pause *backoff) time.Time {
	delay := pause.next()
	g.work.Add(1)
	go k.insist(g, f, attempt+1, pause, delay)
	return time.Now().Add(delay)
}

// insist makes one attempt after a delay. It ends with that, with the
// connection, and with Stop.
func (k *Kept) insist(g *generation, f *KeptForward, attempt int, pause *backoff, delay time.Duration) {
	defer g.work.Done()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		k.tryAndTell(g, f, attempt, pause)
	case <-g.ctx.Done():
	case <-f.gone:
	}
}

// open opens f on g.
func (k *Kept) open(ctx context.Context, g *generation, f *KeptForward) error {
	fwd, err := k.openOnce(ctx, g, f)
	k.mu.Lock()
	stopped := f.stopped
	if !stopped {
		f.open, f.err, f.tried = fwd, err, g
	}
	if err == nil {
		f.chose(fwd.Spec().Listen.Port)
	}
	k.announce()
	k.mu.Unlock()
	if err == nil && stopped {
		fwd.Stop()
		return forward.ErrClosed
	}
	return err
}

// chose notes the port of a forward that asked for any. It is called with mu
// held.
func (f *KeptForward) chose(port int) {
	if f.spec.Listen.Socket == "" && f.spec.Listen.Port == 0 {
		f.ports = append(slices.DeleteFunc(f.ports, func(p int) bool { return p == port }), port)
	}
}

// openOnce asks for the port that was chosen last time, and then for any.
func (k *Kept) openOnce(ctx context.Context, g *generation, f *KeptForward) (*forward.Forward, error) {
	if g.conn.Restricted() {
		return nil, ErrRestricted
	}
	forwards := g.conn.Forwards()
	if ports := f.Ports(); len(ports) > 0 {
		same := f.spec
		same.Listen.Port = ports[len(ports)-1]
		if fwd, err := forwards.Open(ctx, same, f.opts); !mends(err) {
			return fwd, err
		}
	}
	return forwards.Open(ctx, f.spec, f.opts)
}
