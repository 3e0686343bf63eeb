package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cause"
)

// Kept is a connection to a target that is made again whenever it is lost:
//
//	k := client.Keep(ctx, "deploy@web-1", nil)
//	defer k.Close()
//	out, err := k.Command(ctx, "uptime").Output() // waits for a connection
//
// A Kept has the methods of a Client that programs use most, and can stand in
// for it. Work in progress on a connection ends with that connection.
//
// Keep dials, holds the connection until it ends, waits (with exponential
// back-off and random delays) and dials again. Forwards that were opened with
// Kept.Forward are opened on each connection. There is never more than one
// connection: before a Dial the previous one is closed and its goroutines have
// ended.
//
// A later connection must show a host key that was accepted before, or for which
// known_hosts, a trusted CA or a secure DNS record vouches. Otherwise the Kept
// ends with a [*hostkey.ChangedError], even with StrictHostKeyChecking no. The
// same applies to each jump host. If Options.HostKeyCallback is set, it alone
// decides.
//
// A Kept ends if a Dial fails with an error that is not [Retryable]. Its methods
// may be called from any goroutine.
type Kept struct {
	opts   KeepOptions
	dial   func(ctx context.Context, attempt int) (keptConn, error)
	random func(n int64) int64 // in [0, n)

	ctx    context.Context
	cancel context.CancelCauseFunc
	hints  chan struct{}  // holds one
	now    chan struct{}  // buffered: 1; used by Retry
	done   chan struct{}  // closed by run at its end
	work   sync.WaitGroup // the listeners; added to with mu held while ctx has not ended

	callbacks sync.Mutex // held during callbacks, which run one at a time

	mu       sync.Mutex
	state    KeepState
	live     *generation
	changed  chan struct{} // closed and replaced when live or a forward changes
	forwards []*KeptForward
	err      error // the reason why it ended
}

// keptConn is the part of a connection that Kept uses. It is a *Client, except
// in tests of the state machine.
type keptConn interface {
	Done() <-chan struct{}
	Err() error
	Hint()
	Restricted() bool
	Forwards() *forward.Forwarder
	Close() error
}

// generation is one of the successive connections.
type generation struct {
	conn keptConn
	ctx  context.Context // ends with the connection
	end  context.CancelCauseFunc
	work sync.WaitGroup // goroutines that open forwards; added to while it is live
}

// KeepOptions configure a Kept. The zero value is valid.
type KeepOptions struct {
	// Options are used for each Dial. If Config is nil, the configuration is
	// read each time. The keepalive detects that a connection is lost: without
	// it (NoKeepalive, or ServerAliveInterval 0) a connection that fails
	// silently is held for ever. If there is no ConnectTimeout, an attempt ends
	// after DefaultDialTimeout, except the first one with RequireFirst.
	Options

	// Forwards are opened on each connection, with ForwardOptions. Kept.Forward
	// adds others.
	Forwards       []forward.Spec
	ForwardOptions forward.Options

	// AcceptWait is how long a connection that a Local or Dynamic forward accepts
	// during an outage waits for the next connection to the server; then it is
	// closed. Zero means 30 seconds.
	AcceptWait time.Duration

	// MinDelay and MaxDelay limit the wait before an attempt. The n-th
	// consecutive wait is random between MinDelay and MinDelay·2ⁿ, but at most
	// MaxDelay. Zero means 1 second and 1 minute.
	MinDelay, MaxDelay time.Duration
	// Healthy is how long a connection must last so that its loss is not counted
	// as another consecutive failure. Zero means 1 minute.
	Healthy time.Duration
	// Attempts is the number of consecutive failures after which the Kept ends:
	// failed attempts, and connections that did not last for Healthy. Zero means
	// no limit.
	Attempts int
	// RequireFirst ends the Kept if the first attempt fails, whatever the error.
	// It is for interactive programs, in which the target may be mistyped.
	RequireFirst bool

	// OnState is called at each change of state, and OnForward when a forward
	// was opened again or could not be. They are called from goroutines of the
	// Kept, one call at a time. They must not call Close or block.
	OnState   func(KeepState)
	OnForward func(ForwardState)
}

// DefaultDialTimeout is the time limit of an attempt of Keep if there is no
// ConnectTimeout.
const DefaultDialTimeout = 30 * time.Second

// withDefaults returns a copy of opts, which may be nil, in which each zero
// value is replaced by what it means.
func (opts *KeepOptions) withDefaults() KeepOptions {
	var o KeepOptions
	if opts != nil {
		o = *opts
	}
	o.Options = o.Options.withDefaults()
	if o.AcceptWait <= 0 {
		o.AcceptWait = 30 * time.Second
	}
	if o.MinDelay <= 0 {
		o.MinDelay = time.Second
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = time.Minute
	}
	o.MaxDelay = max(o.MinDelay, o.MaxDelay)
	if o.Healthy <= 0 {
		o.Healthy = time.Minute
	}
	if o.OnState == nil {
		o.OnState = func(KeepState) {}
	}
	if o.OnForward == nil {
		o.OnForward = func(ForwardState) {}
	}
	return o
}

// KeepPhase is the phase of a Kept.
type KeepPhase int

const (
	KeepConnecting KeepPhase = iota // a Dial is in progress
	KeepConnected                   // there is a connection
	KeepWaiting                     // waiting to dial again
	KeepEnded                       // it has ended
)

// String returns the name of the phase, such as "waiting".
func (p KeepPhase) String() string {
	switch p {
	case KeepConnecting:
		return "connecting"
	case KeepConnected:
		return "connected"
	case KeepWaiting:
		return "waiting"
	case KeepEnded:
		return "ended"
	}
	return fmt.Sprintf("KeepPhase(%d)", int(p))
}

// KeepState is the state of a Kept.
type KeepState struct {
	Phase KeepPhase
	// Attempt counts the attempts since the last connection, from 1: the one in
	// progress, the one that succeeded, or, while waiting, the next one.
	Attempt int
	// Cause is why there is no connection: why the last one ended, or why the
	// last attempt failed. It is nil before the first attempt has failed, and
	// while connected.
	Cause error
	// Until is the time of the next attempt (KeepWaiting).
	Until time.Time
	// Up is how long the connection lasted that was lost. It is zero after a
	// failed attempt (KeepWaiting, KeepEnded).
	Up time.Duration
	// Down is how long there was no connection before this one. It is zero for
	// the first (KeepConnected).
	Down time.Duration
	// Client is the connection (KeepConnected).
	Client *Client
}

// Keep connects to target, as Dial does, and keeps the connection until ctx
// ends, Close is called, or an attempt fails with an error that is not
// [Retryable]. It does not wait for the first attempt; [Kept.Client] does. A nil
// opts is the same as the zero KeepOptions.
//
// It starts one goroutine, which ends with the Kept, and one for each forward
// that could not be opened, which ends with the connection at the latest.
func Keep(ctx context.Context, target string, opts *KeepOptions) *Kept {
	o := opts.withDefaults()
	earlier := newEarlierKeys()
	return keep(ctx, o, func(ctx context.Context, attempt int) (keptConn, error) {
		d := &keepDial{target: target, opts: o, attempt: attempt, earlier: earlier}
		c, err := d.dial(ctx)
		if err != nil {
			return nil, err // not a nil *Client in a keptConn
		}
		return c, nil
	})
}

// keep returns a Kept that dials with dial. Its options have their defaults.
func keep(ctx context.Context, o KeepOptions, dial func(context.Context, int) (keptConn, error)) *Kept {
	k := &Kept{
		opts: o, dial: dial, random: rand.Int64N,
		hints: make(chan struct{}, 1), now: make(chan struct{}, 1),
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	for _, spec := range o.Forwards {
		k.forwards = append(k.forwards, newKeptForward(k, spec, o.ForwardOptions))
	}
	go k.run()
	return k
}

// Client returns the current connection, and waits for one if there is none. The
// error is that of ctx, or Err if the Kept has ended. The Client may be lost at
// any time. The Kept closes it; the caller must not.
func (k *Kept) Client(ctx context.Context) (*Client, error) {
	g, err := k.await(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := g.conn.(*Client)
	return c, nil
}

// await returns a connection that has not ended, and waits for one if there is
// none.
func (k *Kept) await(ctx context.Context) (*generation, error) {
	for {
		k.mu.Lock()
		g, changed := k.live, k.changed
		k.mu.Unlock()
		if g != nil && g.conn.Err() == nil {
			return g, nil
		}
		select {
		case <-changed:
		case <-k.done:
			return nil, k.Err()
		case <-ctx.Done():
			return nil, cause.Of(ctx)
		}
	}
}

// State returns the current state.
func (k *Kept) State() KeepState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Hint reports that the network may have changed; see keepalive.WatchNetwork.
// The connection is probed at once (see [Client.Hint]). If there is none, the
// next attempt is made at once, but at most once in MinDelay, and the back-off
// starts again. Hint does not block.
func (k *Kept) Hint() { signalOnce(k.hints) }

// Retry ends the wait for the next attempt, if the Kept is waiting. It does not
// block.
func (k *Kept) Retry() { signalOnce(k.now) }

func signalOnce(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is pending
	}
}

// Done returns a channel that is closed when the Kept and its connection have
// ended.
func (k *Kept) Done() <-chan struct{} { return k.done }

// Err returns nil while the Kept goes on. Afterwards it returns ErrClosed if
// Close was called, the error of Keep's context, or the error of the last
// attempt.
func (k *Kept) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Wait blocks until the Kept has ended and returns Err.
func (k *Kept) Wait() error {
	<-k.done
	return k.Err()
}

// Close ends the Kept and its connection, and waits for both.
func (k *Kept) Close() error {
	k.cancel(ErrClosed)
	<-k.done
	return nil
}

// ErrRestricted means that nothing is forwarded because the host key has
// changed; see [Client.Restricted].
var ErrRestricted = errors.New("client: the host key has changed, nothing is forwarded")
