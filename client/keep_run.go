package client

import (
	"context"
	"slices"
	"time"

	"github.com/gossh-project/gossh/internal/cause"
)

// keepDial is one attempt of Keep.
type keepDial struct {
	target  string
	opts    KeepOptions
	attempt int
	earlier *earlierKeys
}

// dial connects as Dial does, with the time limit of Keep.
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

// run is the goroutine of a Kept.
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

// keep dials and holds connections until the Kept ends. It returns the reason.
func (k *Kept) keep() (attempt int, up time.Duration, err error) {
	pause := k.newBackoff()
	var hinted time.Time // when a Hint ended a wait
	var lost time.Time   // when the last connection was lost
	failures := 0        // consecutive
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

// since returns the time since t, or zero if t is zero.
func since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return time.Since(t)
}

// causeOr returns why the Kept was ended, or err if it was not. A Dial that it
// ended returns the same cause inside a ConnError.
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

// enter sets the state and calls OnState.
func (k *Kept) enter(s KeepState) {
	k.callbacks.Lock()
	defer k.callbacks.Unlock()
	k.mu.Lock()
	k.state = s
	k.mu.Unlock()
	k.opts.OnState(s)
}

// hold publishes a connection and waits until it or the Kept ends. It returns
// the reason, after the connection was closed and its goroutines have ended.
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

// watch waits until the connection or the Kept ends, and returns the reason.
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

// publish makes a connection available and starts to restore the forwards.
func (k *Kept) publish(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLive(g)
	g.work.Add(1)
	go k.restore(g, append([]*KeptForward(nil), k.forwards...))
}

// withdraw makes the connection unavailable. No work starts on it afterwards.
func (k *Kept) withdraw(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLive(nil)
	k.forgetStopped(g)
}

// setLive sets the current connection. The caller holds mu.
func (k *Kept) setLive(g *generation) {
	k.live = g
	k.announce()
}

// announce wakes goroutines that wait for a change. The caller holds mu.
func (k *Kept) announce() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// wait waits until the next attempt. It returns an error if the Kept ends.
func (k *Kept) wait(s KeepState, pause *backoff, hinted *time.Time) error {
	select {
	case <-k.now: // from before this wait
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
			pause.reset() // failures on the old network do not count
			at := hinted.Add(k.opts.MinDelay)
			left := time.Until(at)
			if left <= 0 {
				*hinted = time.Now()
				return nil
			}
			// A link that goes up and down must not cause as many attempts.
			if at.Before(s.Until) {
				shortened = true
				s.Until = at
				timer.Reset(left)
				k.enter(s)
			}
		}
	}
}

// backoff computes delays that are random between a minimum and a maximum that
// doubles, so that many clients do not return to a server at the same time.
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

// reset starts again with short delays.
func (b *backoff) reset() { b.ceiling = b.least }

func (b *backoff) next() time.Duration {
	if b.ceiling > b.most/2 {
		b.ceiling = b.most
	} else {
		b.ceiling *= 2
	}
	return b.least + time.Duration(b.random(int64(b.ceiling-b.least)+1))
}
