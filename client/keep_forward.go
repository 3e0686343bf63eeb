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
	tried   *generation // the connection on which it was tried last
	ports   []int       // that the server chose for port 0, the latest last
	stopped bool
}

func newKeptForward(k *Kept, spec forward.Spec, opts forward.Options) *KeptForward {
	if spec.Kind == forward.Local || spec.Kind == forward.Dynamic {
		opts.Sockets = forward.NewSockets(k.opts.AcceptWait)
	}
	return &KeptForward{k: k, spec: spec, opts: opts, gone: make(chan struct{})}
}

// ForwardState is the result of an attempt to open a forward again.
type ForwardState struct {
	Forward *KeptForward
	// Attempt counts the attempts on this connection, from 1.
	Attempt int
	// Open is the forward, or nil if it was not opened. Then Err is the reason,
	// and Until the time of the next attempt, or zero if there is none.
	Open  *forward.Forward
	Err   error
	Until time.Time
}

// Spec returns the Spec that was given to Kept.Forward.
func (f *KeptForward) Spec() forward.Spec { return f.spec }

// Forward returns the forward on the current connection, or nil if it is not
// open.
func (f *KeptForward) Forward() *forward.Forward {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return f.open
}

// Err returns the error of the last attempt to open it, or nil.
func (f *KeptForward) Err() error {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return f.err
}

// Ports returns the ports that the server chose if the Spec has port 0, the
// latest last. Users may know the forward by any of them.
func (f *KeptForward) Ports() []int {
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	return slices.Clone(f.ports)
}

// Await waits until the forward was tried on the current connection. It returns
// what is open, or the error of that attempt, ErrClosed after Stop, Err if the
// Kept has ended, or the error of ctx.
func (f *KeptForward) Await(ctx context.Context) (*forward.Forward, error) {
	for {
		g, err := f.k.await(ctx)
		if err != nil {
			return nil, err
		}
		f.k.mu.Lock()
		tried := f.tried == g && f.k.live == g // g may have been lost meanwhile
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

// Stop stops the forward, as forward.Forward.Stop does. It is not opened again.
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

// forget removes the forward from the Kept. The caller holds mu.
func (f *KeptForward) forget() {
	if f.stopped {
		return
	}
	f.stopped, f.open = true, nil
	close(f.gone)
	f.closeSockets()
	f.k.forwards = slices.DeleteFunc(f.k.forwards, func(o *KeptForward) bool { return o == f })
}

// closeSockets closes the sockets on which a Local or Dynamic listens.
func (f *KeptForward) closeSockets() {
	if f.opts.Sockets != nil {
		f.opts.Sockets.Close()
	}
}

// Forward opens a forward on the current connection, for which it waits if there
// is none, and on each later connection. The error is that of
// forward.Forwarder.Open. The KeptForward is returned also in this case, because
// the port may be held by a connection that the server has not given up yet: it
// is tried again, with back-off, until it is open or Stop is called. The
// KeptForward is nil if ctx or the Kept has ended before there was a connection.
//
// A Local or Dynamic listens also during an outage. A connection that it accepts
// meanwhile waits for at most KeepOptions.AcceptWait.
//
// If a Remote has port 0, the port that was chosen last is requested again; if
// that fails, the server chooses another.
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
		if err = k.open(ctx, g, f); err != nil && isTemporary(err) {
			k.retryLater(g, f, 1, k.newBackoff())
		}
		return f, err
	}
}

// enlist adds f to the forwards and the caller to the work on g. It reports
// false if g has ended.
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

// Forwards returns the forwards of the Kept in the order in which they were
// added.
func (k *Kept) Forwards() []*KeptForward {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.forwards)
}

// forgetStopped removes the forwards that were stopped by methods of
// forward.Forward. It is called with mu held at the end of a connection, before
// that is closed, which stops all forwards.
func (k *Kept) forgetStopped(g *generation) {
	closedByHolder := errors.Is(g.conn.Err(), ErrClosed)
	for _, f := range slices.Clone(k.forwards) {
		if f.open != nil && f.open.Err() == forward.ErrClosed && !closedByHolder {
			f.forget()
		}
		f.open = nil // ends with the connection
	}
}

// restore opens all forwards on a new connection, in order.
func (k *Kept) restore(g *generation, all []*KeptForward) {
	defer g.work.Done()
	for _, f := range all {
		k.tryForward(g, f, 1, k.newBackoff())
	}
}

// tryForward makes one attempt, reports the result to OnForward, and schedules
// the next attempt.
func (k *Kept) tryForward(g *generation, f *KeptForward, attempt int, pause *backoff) {
	err := k.open(g.ctx, g, f)
	if g.ctx.Err() != nil || errors.Is(err, forward.ErrClosed) || errors.Is(err, forward.ErrConnectionLost) {
		return // ended by the connection or by Stop
	}
	s := ForwardState{Forward: f, Attempt: attempt, Open: f.Forward(), Err: err}
	if isTemporary(err) {
		s.Until = k.retryLater(g, f, attempt, pause)
	}
	k.callbacks.Lock()
	defer k.callbacks.Unlock()
	k.opts.OnForward(s)
}

// isTemporary reports whether another attempt to open the forward may succeed.
func isTemporary(err error) bool {
	var refused *forward.RefusedError
	var listen *forward.ListenError
	return errors.As(err, &refused) || errors.As(err, &listen)
}

// retryLater schedules another attempt and returns its time. The caller is part
// of g's work.
func (k *Kept) retryLater(g *generation, f *KeptForward, attempt int, pause *backoff) time.Time {
	delay := pause.next()
	g.work.Add(1)
	go k.retryForward(g, f, attempt+1, pause, delay)
	return time.Now().Add(delay)
}

// retryForward makes an attempt after a delay. It ends early with the connection
// or with Stop.
func (k *Kept) retryForward(g *generation, f *KeptForward, attempt int, pause *backoff, delay time.Duration) {
	defer g.work.Done()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		k.tryForward(g, f, attempt, pause)
	case <-g.ctx.Done():
	case <-f.gone:
	}
}

// open opens f on g and records the result.
func (k *Kept) open(ctx context.Context, g *generation, f *KeptForward) error {
	fwd, err := k.openOnce(ctx, g, f)
	k.mu.Lock()
	stopped := f.stopped
	if !stopped {
		f.open, f.err, f.tried = fwd, err, g
	}
	if err == nil {
		f.recordPort(fwd.Spec().Listen.Port)
	}
	k.announce()
	k.mu.Unlock()
	if err == nil && stopped {
		fwd.Stop()
		return forward.ErrClosed
	}
	return err
}

// recordPort records the port of a forward with port 0. The caller holds mu.
func (f *KeptForward) recordPort(port int) {
	if f.spec.Listen.Socket == "" && f.spec.Listen.Port == 0 {
		f.ports = append(slices.DeleteFunc(f.ports, func(p int) bool { return p == port }), port)
	}
}

// openOnce opens f, on the port that was chosen last if there is one, and
// otherwise on any.
func (k *Kept) openOnce(ctx context.Context, g *generation, f *KeptForward) (*forward.Forward, error) {
	if g.conn.Restricted() {
		return nil, ErrRestricted
	}
	forwards := g.conn.Forwards()
	if ports := f.Ports(); len(ports) > 0 {
		same := f.spec
		same.Listen.Port = ports[len(ports)-1]
		if fwd, err := forwards.Open(ctx, same, f.opts); !isTemporary(err) {
			return fwd, err
		}
	}
	return forwards.Open(ctx, f.spec, f.opts)
}
