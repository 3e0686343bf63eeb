package client

import (
	"context"
	"slices"
	"time"

	"github.com/gossh-project/gossh/internal/cause"
)

// keepDial is one attempt.
type keepDial struct {
	target  string
	opts    KeepOptions
	attempt int
	earlier *earlierKeys
}

// dial is Dial with the defaults of one that is to be kept.
func (a *keepDial) dial(ctx context.Context) (*Client, error) {
	o, err := a.opts.Options.resolved(ctx, a.target)
	if err != nil {
		return nil, err
	}
	d := newDialer(o, nil)
	d.earlier = a.earlier
	if a.attempt > 1 || !a.opts.RequireFirst {
		d.fallbackTimeout = DefaultDialTimeout
	}
	return d.dial(ctx)
}

// run is the goroutine of a Kept. It ends with it.
func (k *Kept) run() {
	defer close(k.done)
	attempt, up, err := k.keep()
	k.mu.Lock()
	k.cancel(err)
	k.err = err
	forwards := slices.Clone(k.forwards)
	k.mu.Unlock()
	k.work.Wait()
	for _, f := range forwards {
		f.closeSockets()
	}
	k.enter(KeepState{Phase: KeepEnded, Attempt: attempt, Cause: err, Up: up})
}

// keep goes round and round until nothing more is to be tried; it returns why.
func (k *Kept) keep() (attempt int, up time.Duration, err error) {
	pause := k.newBackoff()
	var hinted time.Time // when a Hint last ended a wait
	var lost time.Time   // when there last was a connection
	failures := 0        // in a row
	for attempt = 1; ; attempt++ {
		k.enter(KeepState{Phase: KeepConnecting, Attempt: attempt, Cause: err})
		var conn keptConn
		conn, err = k.dial(k.ctx, attempt)
		up = 0
		failures++
		switch {
		case err == nil:
			began := time.Now()
			err = k.hold(conn, attempt, since(lost))
			lost = time.Now()
			up = lost.Sub(began)
			attempt = 0
			if up >= k.opts.Healthy {
				failures = 0
				pause.reset()
			}
		case k.opts.RequireFirst && lost.IsZero(), !Retryable(err):
			return attempt, up, k.causeOr(err)
		}
		if k.ctx.Err() != nil || k.opts.Attempts > 0 && failures >= k.opts.Attempts {
			return attempt, up, k.causeOr(err)
		}
		state := KeepState{Phase: KeepWaiting, Attempt: attempt + 1, Cause: err, Up: up}
		if err := k.wait(state, pause, &hinted); err != nil {
			return attempt, up, err
		}
	}
}

// since is how long ago t was; zero for no time at all.
func since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return time.Since(t)
}

// causeOr returns why the Kept was ended, or err if it was not. A Dial that it
// ended returns the same cause with more around it.
func (k *Kept) causeOr(err error) error {
	if ended := k.endCause(); ended != nil {
		return ended
	}
	return err
}

// endCause returns ErrClosed after Close, the error of Keep's context if that
// has ended, and nil otherwise.
func (k *Kept) endCause() error {
	if context.Cause(k.ctx) == ErrClosed {
		return ErrClosed
	}
	return cause.Of(k.ctx)
}

// enter changes the state and tells so.
func (k *Kept) enter(s KeepState) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	k.state = s
	k.mu.Unlock()
	k.opts.OnState(s)
}

// hold keeps a connection until it ends, or the Kept does, and returns why.
// When it returns, nothing of the connection is left.
func (k *Kept) hold(conn keptConn, attempt int, down time.Duration) error {
	g := &generation{conn: conn}
	g.ctx, g.end = context.WithCancelCause(k.ctx)
	c, _ := conn.(*Client)
	k.enter(KeepState{Phase: KeepConnected, Attempt: attempt, Down: down, Client: c})
	k.publish(g)
	err := k.watch(conn)
	k.withdraw(g)
	g.end(err)
	conn.Close()
	g.work.Wait()
	return err
}

// watch returns why a connection is to be held no longer.
func (k *Kept) watch(conn keptConn) error {
	for {
		select {
		case <-conn.Done():
			return conn.Err()
		case <-k.ctx.Done():
			return k.endCause()
		case <-k.hints:
			conn.Hint()
		}
	}
}

// publish gives a connection to whoever waits, and begins to restore forwards.
func (k *Kept) publish(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLive(g)
	g.work.Add(1)
	go k.restore(g, append([]*KeptForward(nil), k.forwards...))
}

// withdraw takes it back. Nothing starts on it any more.
func (k *Kept) withdraw(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLive(nil)
	k.forgetStopped(g)
}

// setLive is called with mu held.
func (k *Kept) setLive(g *generation) {
	k.live = g
	k.announce()
}

// announce wakes who waits for a change. It is called with mu held.
func (k *Kept) announce() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// wait waits before an attempt. Its error is the end of the Kept.
func (k *Kept) wait(s KeepState, pause *backoff, hinted *time.Time) error {
	select {
	case <-k.now: // was meant for an earlier wait
	default:
	}
	delay := pause.next()
	s.Until = time.Now().Add(delay)
	k.enter(s)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	shortened := false
	for {
		select {
		case <-k.ctx.Done():
			return k.endCause()
		case <-k.now:
			return nil
		case <-timer.C:
			if shortened {
				*hinted = time.Now()
			}
			return nil
		case <-k.hints:
			pause.reset() // what failed on the old network says nothing of the new one
			at := hinted.Add(k.opts.MinDelay)
			left := time.Until(at)
			if left <= 0 {
				*hinted = time.Now()
				return nil
			}
			// A link that flaps must not make attempts follow at its pace.
			if at.Before(s.Until) {
				shortened = true
				s.Until = at
				timer.Reset(left)
				k.enter(s)
			}
		}
	}
}

// backoff gives delays that grow twofold and are random between the least and
// that: many clients of a server that comes back do not all come at once.
type backoff struct {
	least, most time.Duration
	random      func(n int64) int64
	ceiling     time.Duration
}

func (k *Kept) newBackoff() *backoff {
	b := &backoff{least: k.opts.MinDelay, most: k.opts.MaxDelay, random: k.random}
	b.reset()
	return b
}

// reset makes the next delay a short one.
func (b *backoff) reset() { b.ceiling = b.least }

func (b *backoff) next() time.Duration {
	if b.ceiling > b.most/2 {
		b.ceiling = b.most
	} else {
		b.ceiling *= 2
	}
	return b.least + time.Duration(b.random(int64(b.ceiling-b.least)+1))
}
