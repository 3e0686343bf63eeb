package client

import (
	"context"
	"sync"
	"time"
)

// deadline is the one time limit of a Dial: over looking up, connecting, key
// exchange and each step of authentication. It stands still while a person is
// asked, since nobody types faster for a ConnectTimeout.
type deadline struct {
	cancel context.CancelCauseFunc
	err    error     // what the context ends with
	parent *deadline // of the Dial that this one is a jump host of; pauses too

	mu      sync.Mutex
	limit   time.Duration // 0: none
	left    time.Duration
	started time.Time // of the running timer; zero while paused
	pauses  int
	timer   *time.Timer
}

// withDeadline gives a context that ends with err after limit (0: never), and
// the deadline that controls it. Stop it when the Dial is over.
func withDeadline(ctx context.Context, limit time.Duration, err error) (context.Context, *deadline) {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &deadline{cancel: cancel, err: err, limit: limit, left: limit}
	d.run()
	return ctx, d
}

// run starts the timer for what is left. The caller holds mu, or is alone.
func (d *deadline) run() {
	if d.limit <= 0 {
		return
	}
	d.started = time.Now()
	d.timer = time.AfterFunc(d.left, func() { d.cancel(d.err) })
}

// halt stops the timer and keeps what is left. The caller holds mu.
func (d *deadline) halt() {
	if d.timer == nil {
		return
	}
	d.timer.Stop()
	d.left -= time.Since(d.started)
	d.timer = nil
}

// pause stops the clock until resume; pauses nest.
func (d *deadline) pause() {
	if d.parent != nil {
		d.parent.pause()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses++; d.pauses == 1 {
		d.halt()
	}
}

func (d *deadline) resume() {
	if d.parent != nil {
		d.parent.resume()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses--; d.pauses == 0 {
		d.run()
	}
}

// restart gives the next step the whole time again.
func (d *deadline) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.halt()
	d.left = d.limit
	if d.pauses == 0 {
		d.run()
	}
}

// stop ends the deadline for good, and its context without a cause of ours.
func (d *deadline) stop() {
	d.mu.Lock()
	d.halt()
	d.limit = 0
	d.mu.Unlock()
	d.cancel(context.Canceled)
}
