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

// Kept is a connection to one target that is made again whenever it is lost:
//
//	k := client.Keep(ctx, "deploy@web-1", nil)
//	defer k.Close()
//	c, err := k.Client(ctx) // waits for the connection that is up, or the end
//
// It dials, holds the connection until that ends, waits (exponential back-off,
// each delay random between its bounds) and dials again. Forwards that were
// opened through it are opened again on each new connection. There is never
// more than one connection: before a Dial the one before has been closed and
// its goroutines have ended.
//
// A connection that takes the place of another one has to show a host key that
// was accepted before, or that known_hosts, a trusted CA or a secure DNS record
// vouches for: another one is the end, with a [*hostkey.ChangedError], even with
// StrictHostKeyChecking no. The same goes for each jump host. Where
// Options.HostKeyCallback is set, it alone decides, each time.
//
// What no other attempt would mend is the end: see [Retryable]. Its methods may
// be called from any goroutine.
type Kept struct {
	opts   KeepOptions
	dial   func(ctx context.Context, attempt int) (keptConn, error)
	random func(n int64) int64 // in [0, n)

	ctx    context.Context
	cancel context.CancelCauseFunc
	hints  chan struct{}  // holds one
	now    chan struct{}  // holds one: Retry
	done   chan struct{}  // closed by run, last of all
	work   sync.WaitGroup // listeners; added to with mu held while ctx lasts

	telling sync.Mutex // held during a callback: one at a time

	mu       sync.Mutex
	state    KeepState
	live     *generation
	changed  chan struct{} // closed and replaced when live or a forward changes
	forwards []*KeptForward
	err      error // why it ended
}

// keptConn is what Kept needs of a connection. *Client is the one there is;
// tests of the state machine have another.
type keptConn interface {
	Done() <-chan struct{}
	Err() error
	Hint()
	Restricted() bool
	Forwards() *forward.Forwarder
	Close() error
}

// generation is one of the connections that follow one another.
type generation struct {
	conn keptConn
	ctx  context.Context // ends with the connection
	end  context.CancelCauseFunc
	work sync.WaitGroup // what opens forwards on it; added to while it is live
}

// KeepOptions say how a connection is kept. The zero value is ready for use.
type KeepOptions struct {
	// Options are those of each Dial. With a nil Config the configuration is
	// read anew each time. It is the keepalive that finds out that a
	// connection is lost: without it (NoKeepalive, ServerAliveInterval 0) one
	// that died silently is kept for ever. Where there is no ConnectTimeout,
	// an attempt is given up after DefaultDialTimeout; only a first one that
	// RequireFirst is set for is as patient as Dial.
	Options

	// Forwards are opened on each connection, with ForwardOptions. More can
	// be added with Kept.Forward.
	Forwards       []forward.Spec
	ForwardOptions forward.Options

	// AcceptWait is how long a connection that a Local or Dynamic forward accepts
	// during an outage waits for the next connection to the server; then it is
	// closed. Zero means 30 seconds.
	AcceptWait time.Duration

	// MinDelay and MaxDelay bound the wait before an attempt. The n-th wait
	// in a row is random between MinDelay and MinDelay·2ⁿ, or MaxDelay if
	// that is less. Zero means 1 second and 1 minute.
	MinDelay, MaxDelay time.Duration
	// Healthy is how long a connection has to live for its loss not to count
	// as one more failure in a row. Zero means 1 minute.
	Healthy time.Duration
	// Attempts is how many failures in a row are the end: attempts that
	// failed, and connections that did not live for Healthy. Zero means any
	// number.
	Attempts int
	// RequireFirst makes a first attempt that fails the end, whatever the
	// error: somebody is waiting for it, and likely to have mistyped.
	RequireFirst bool

	// OnState is called with each change of state, OnForward when a forward
	// was opened again or could not be. Both are called from goroutines of
	// the Kept, one call at a time, and must not call Close or wait.
	OnState   func(KeepState)
	OnForward func(ForwardState)
}

// DefaultDialTimeout bounds an attempt of Keep where no ConnectTimeout does.
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

// KeepPhase is where a Kept stands.
type KeepPhase int

const (
	KeepConnecting KeepPhase = iota // a Dial is under way
	KeepConnected                   // there is a connection
	KeepWaiting                     // for the time of the next attempt
	KeepEnded                       // for good
)

// String names the phase in a word.
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

// KeepState is a snapshot of a Kept.
type KeepState struct {
	Phase KeepPhase
	// Attempt numbers the attempts since the last connection, from 1: the one
	// under way, the one that succeeded, or, while waiting, the next.
	Attempt int
	// Cause is why there is no connection: what ended the last one, or why
	// the last attempt failed. It is nil before the first attempt has failed,
	// and while connected.
	Cause error
	// Until is when the wait is over (KeepWaiting).
	Until time.Time
	// Up is how long the connection had lived whose loss led here; zero if it
	// was an attempt that failed (KeepWaiting, KeepEnded).
	Up time.Duration
	// Down is how long there had been no connection when this one came up;
	// zero for the first (KeepConnected).
	Down time.Duration
	// Client is the connection (KeepConnected).
	Client *Client
}

// Keep connects to target, as Dial does, and keeps the connection until ctx
// ends, Close is called, or an attempt fails for good. It does not wait for the
// first attempt: [Kept.Client] does. A nil opts is the same as the zero
// KeepOptions.
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
			return nil, err // and no nil *Client in an interface
		}
		return c, nil
	})
}

// keep starts a Kept on any way of dialing. Its options have their defaults.
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

// Client returns the connection that is up, waiting for one if there is none.
// The error is the cause of ctx, or Err if the Kept has ended. The Client may
// be lost at any time, as from Dial; then ask again. It is the Kept that closes
// it.
func (k *Kept) Client(ctx context.Context) (*Client, error) {
	g, err := k.await(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := g.conn.(*Client)
	return c, nil
}

// await waits for a connection that has not ended.
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

// State returns where it stands.
func (k *Kept) State() KeepState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Hint says that the network may have changed: the connection is probed at
// once (see [Client.Hint]), or if there is none, the next attempt is made at
// once, though not more than one such in MinDelay, and the back-off starts
// over. For keepalive.WatchNetwork. It does not block.
func (k *Kept) Hint() { signalOnce(k.hints) }

// Retry ends the wait for the next attempt, if there is one at the moment. It
// does not block.
func (k *Kept) Retry() { signalOnce(k.now) }

func signalOnce(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting to be seen
	}
}

// Done is closed when the Kept has ended, and its connection with it.
func (k *Kept) Done() <-chan struct{} { return k.done }

// Err is why it ended, nil while it goes on: ErrClosed after Close, the cause
// of Keep's context, or the error of the last attempt.
func (k *Kept) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Wait blocks until it has ended and returns Err.
func (k *Kept) Wait() error {
	<-k.done
	return k.Err()
}

// Close ends it, and the connection, and waits for both.
func (k *Kept) Close() error {
	k.cancel(ErrClosed)
	<-k.done
	return nil
}

// ErrRestricted is a forward that is not opened because the host key has
// changed and StrictHostKeyChecking no let it pass: see [Client.Restricted].
var ErrRestricted = errors.New("client: the host key has changed, nothing is forwarded")
