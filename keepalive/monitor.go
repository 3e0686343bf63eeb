package keepalive

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// RequestName is the global request that asks for a sign of life. No peer has
// to know it: RFC 4254 section 4 makes one that does not answer with failure.
const RequestName = "keepalive@openssh.com"

// A Requester sends global requests. Every ssh.Conn and *ssh.Client is one.
type Requester interface {
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// Options say how long a peer may be silent. The numbers mean what they mean
// in ssh_config(5), so the zero value sends nothing and judges nothing, as ssh
// does unless it is told otherwise. DefaultOptions has figures of our own.
type Options struct {
	// Interval is ServerAliveInterval: after that much silence the peer is
	// asked for a sign of life. Zero or less turns the Monitor off.
	Interval time.Duration
	// CountMax is ServerAliveCountMax: the peer is lost when the count of
	// silent intervals passes it, which is Interval × (CountMax+1) after
	// its last sign of life. Less than zero is taken for zero, and zero
	// means: lost after one interval, without being asked.
	CountMax int
	// Logger is told of requests and verdicts at debug level; nil is silent.
	Logger *slog.Logger
	// OnChange, if set, is called with each change of Stats.State, from the
	// Monitor's goroutine. It must not block, and must not call Stop.
	OnChange func(Stats)
	// Moved, if set, says whether the network has changed such that the
	// connection cannot go on: see Monitor.Hint. It must not block. Nil
	// looks at the addresses of the watched Conn.
	Moved func() bool

	clock clock // tests have one of their own
}

// DefaultOptions returns an interval of 30 s and a count of 6: a peer is lost
// after three and a half minutes of silence.
func DefaultOptions() Options {
	return Options{Interval: 30 * time.Second, CountMax: 6}
}

// PacketTimeout returns Interval × CountMax, which is how long ssh waits for
// each packet of the handshake, for Conn.SetPacketTimeout. Zero means for
// ever.
func (o Options) PacketTimeout() time.Duration {
	if o.Interval <= 0 || o.CountMax <= 0 {
		return 0
	}
	if o.Interval > math.MaxInt64/time.Duration(o.CountMax) {
		return math.MaxInt64
	}
	return o.Interval * time.Duration(o.CountMax)
}

// longest keeps sums of times from overflowing.
const longest = 100 * 365 * 24 * time.Hour

// A Monitor watches one connection until that ends, Stop is called, or the
// peer is lost. Its methods may be called from any goroutine.
type Monitor struct {
	conn    Requester
	watched *Conn // may be nil
	opts    Options
	clock   clock
	epoch   time.Time // durations count from here; that of watched, if any

	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
	hints    chan struct{} // holds one
	answers  chan struct{} // holds one: ask has come back
	done     chan struct{} // closed by run, last of all

	// request is the method ask, bound once: to start it costs nothing.
	request     func()
	outstanding atomic.Bool
	answered    atomic.Int64 // when the last answer came

	judge judge // run's own

	mu     sync.Mutex
	stats  Stats // without what Stats fills in
	lost   *PeerLostError
	failed error // of the last SendRequest
}

// Start watches conn, whose bytes pass watched. Nil is for a connection whose
// net.Conn is out of reach: that of ssh.Dial, or one through a multiplexing
// master. Then answers alone are life, and may be late behind a download; the
// end of conn is noticed at the next request; and on the verdict conn is closed,
// if it has a Close method, with an error of its own: Err has the reason.
func Start(conn Requester, watched *Conn, opts Options) *Monitor {
	opts.Interval = min(opts.Interval, longest)
	m := &Monitor{
		conn:     conn,
		watched:  watched,
		opts:     opts,
		clock:    opts.clock.orSystem(),
		stopping: make(chan struct{}),
		hints:    make(chan struct{}, 1),
		answers:  make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	m.epoch = m.clock.now()
	if watched != nil {
		m.epoch = watched.epoch
	}
	m.request = m.ask
	now := m.now()
	m.answered.Store(int64(now)) // the start counts as life
	m.judge.start(m, now)
	go m.run()
	return m
}

// Stats returns a snapshot.
func (m *Monitor) Stats() Stats {
	m.mu.Lock()
	s := m.stats
	m.mu.Unlock()
	s.LastHeard = m.at(m.lastHeard())
	s.Outstanding = m.outstanding.Load()
	if m.watched != nil {
		s.BytesIn, s.BytesOut = m.watched.BytesIn(), m.watched.BytesOut()
	}
	return s
}

// Done is closed when the Monitor has ended, whatever the reason.
func (m *Monitor) Done() <-chan struct{} { return m.done }

// Err returns the *PeerLostError once the peer is lost, and nil otherwise: how
// a connection ended by other means is for the connection to say.
func (m *Monitor) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost == nil {
		return nil
	}
	return m.lost
}

// Stop ends the Monitor and waits until it will neither judge nor call
// OnChange any more. The connection stays open. A request that is out cannot
// be taken back: its goroutine ends with the answer, or with the connection.
func (m *Monitor) Stop() {
	m.stopOnce.Do(func() { close(m.stopping) })
	<-m.done
}

// Hint says that the network may have changed. The peer is asked at once, and
// again after 2 s and 4 s. If nothing was heard for the last 4 s when 6 s are
// over, and the address that the connection comes from is no longer on this
// machine while the peer is routed from another, the peer is lost: a move to
// another network is noticed within seconds. Otherwise ssh's rule goes on as
// if there had been no hint, because a connection survives a short outage, and
// TCP may take longer than the outage itself to notice that it is over.
// Hint does not block.
func (m *Monitor) Hint() {
	select {
	case m.hints <- struct{}{}:
	default: // one is waiting to be seen
	}
}

func (m *Monitor) now() time.Duration { return m.clock.now().Sub(m.epoch) }

// at turns a time counted from the epoch into one to show. It is reckoned back
// from now, since the epoch's own wall clock knows nothing of a sleep.
func (m *Monitor) at(t time.Duration) time.Time {
	now := m.clock.now()
	return now.Add(t - now.Sub(m.epoch))
}

// lastHeard returns when the last sign of life came.
func (m *Monitor) lastHeard() time.Duration {
	heard := time.Duration(m.answered.Load())
	if m.watched != nil {
		heard = max(heard, time.Duration(m.watched.heard.Load()))
	}
	return heard
}
