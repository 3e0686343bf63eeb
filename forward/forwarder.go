package forward

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Conn is what forwarding needs of an SSH connection. ssh.Conn has it.
type Conn interface {
	// OpenChannel asks the server for a channel and waits for its answer.
	OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error)
	// SendRequest sends a global request and, with wantReply, waits for the answer.
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
	// Wait returns when the connection has ended.
	Wait() error
}

// transport is what a Conn may offer besides: the news that nothing more can be
// received, before the channels end of it.
type transport interface {
	TransportEnded() <-chan struct{}
}

// Forwarder is the forwarding of one SSH connection: what it has open, and
// what the server may open towards us. Its methods may be called from any
// goroutine.
type Forwarder struct {
	conn Conn
	log  *slog.Logger
	bufs sync.Pool // of *[bufSize]byte, for the pumps

	ctx  context.Context // ends with the SSH connection, the cause being why
	end  context.CancelCauseFunc
	lost chan struct{} // closed when Wait has returned

	transportEnded <-chan struct{} // nil if conn does not tell

	// lossGrace is how long an end of a channel may stay unexplained: see pump.
	lossGrace time.Duration

	registry registry
	numbers  numbers

	mu       sync.Mutex
	forwards []*Forward
	closed   bool
	nextID   uint64
	incoming int           // channels that the server has open towards us
	refusal  error         // of Restrict
	idle     chan struct{} // closed, and made anew, when the last of forwards is gone
}

// New returns the Forwarder for conn. Log may be nil.
//
// It starts one goroutine, which ends with the connection.
func New(conn Conn, log *slog.Logger) *Forwarder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &Forwarder{conn: conn, log: log, lost: make(chan struct{}), lossGrace: lossGrace}
	if t, ok := conn.(transport); ok {
		f.transportEnded = t.TransportEnded()
	}
	f.bufs.New = func() any { return new([bufSize]byte) }
	f.ctx, f.end = context.WithCancelCause(context.Background())
	go f.watch()
	return f
}

// watch ends everything when the SSH connection ends, and then itself.
func (f *Forwarder) watch() {
	err := f.conn.Wait()
	if err == nil {
		f.end(ErrConnectionLost)
	} else {
		f.end(fmt.Errorf("%w: %w", ErrConnectionLost, err))
	}
	close(f.lost)
}

// Open starts the forwarding that spec asks for and returns once it listens.
// It is for every Kind but Stdio, for which there is [Forwarder.OpenStdio].
//
// ctx bounds the start alone: afterwards the forwarding lives until Stop, Close
// or the end of the SSH connection. Errors are *ListenError, *RefusedError,
// ErrConnectionLost, ErrClosed, or the cause of ctx.
func (f *Forwarder) Open(ctx context.Context, spec Spec, opts Options) (*Forward, error) {
	if err := f.restriction(); err != nil {
		return nil, err
	}
	switch spec.Kind {
	case Local, Dynamic:
		return f.openLocal(ctx, spec, opts)
	case Remote:
		return f.openRemote(ctx, spec, opts)
	}
	return nil, fmt.Errorf("forward: no listener for a %v forwarding", spec.Kind)
}

// Restrict makes Open, Listen and DialContext return err from now on, for a
// server that may not be the right one. OpenStdio and DialStdio go on, as -W of
// ssh does then.
func (f *Forwarder) Restrict(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusal = err
}

// restriction is the error of Restrict, nil without one.
func (f *Forwarder) restriction() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refusal
}

// Forwards returns the forwardings that listen or still carry a connection, in
// the order in which they were opened.
func (f *Forwarder) Forwards() []*Forward {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.forwards)
}

// Close closes every forwarding as [Forward.Close] does. What DialContext,
// Listen and OpenStdio returned is its holder's to close.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	open := slices.Clone(f.forwards)
	f.mu.Unlock()
	var wg sync.WaitGroup
	for _, fwd := range open {
		wg.Go(func() { fwd.close() })
	}
	wg.Wait()
	return nil
}

// add enters a forwarding in the list.
func (f *Forwarder) add(fwd *Forward) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	if f.closed {
		return ErrClosed
	}
	f.forwards = append(f.forwards, fwd)
	return nil
}

func (f *Forwarder) remove(fwd *Forward) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forwards = slices.DeleteFunc(f.forwards, func(o *Forward) bool { return o == fwd })
	if len(f.forwards) == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// Idle returns a channel that is closed once no forwarding listens or carries
// a connection: after each was stopped, when the last connection has ended.
func (f *Forwarder) Idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	if len(f.forwards) > 0 {
		return f.idle
	}
	now := f.idle
	close(now)
	f.idle = nil
	return now
}

// newID numbers connections for logs and snapshots.
func (f *Forwarder) newID() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nextID++
	return f.nextID
}

// numbers gives out the lowest number that is free, as OpenSSH numbers its
// channels.
type numbers struct {
	mu    sync.Mutex
	taken []bool
}

func (n *numbers) take() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, taken := range n.taken {
		if !taken {
			n.taken[i] = true
			return i
		}
	}
	n.taken = append(n.taken, true)
	return len(n.taken) - 1
}

// give frees a number, and returns how many were taken until then.
func (n *numbers) give(number int) (open int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, taken := range n.taken {
		if taken {
			open++
		}
	}
	n.taken[number] = false
	return open
}
