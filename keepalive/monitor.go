package keepalive

import (
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// RequestName is the name of the global request. The peer need not know it: then it
// answers with a failure (RFC 4254, section 4), which is a sign of life, too.
const RequestName = "keepalive@openssh.com"

// A Requester sends global requests. Every ssh.Conn and *ssh.Client implements it.
type Requester interface {
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// Options define how long a peer may be silent. The numbers are those of
// ssh_config(5), so with the zero value nothing is sent and no peer is given up, which
// is ssh's default. DefaultOptions returns the defaults of gossh.
type Options struct {
	// Interval is ServerAliveInterval: the time without a sign of life after which
	// a request is sent. Zero or less turns the Monitor off.
	Interval time.Duration
	// CountMax is ServerAliveCountMax: the peer is lost when the number of
	// intervals without a sign of life exceeds it, which is Interval ×
	// (CountMax+1) after the last one. With zero or less the peer is lost after
	// one interval, without a request.
	CountMax int
	// Logger, if set, gets debug messages about requests and lost peers.
	Logger *slog.Logger
	// OnChange, if set, is called by the Monitor's goroutine when Stats.State
	// changes. It must not block, and must not call Stop.
	OnChange func(Stats)
	// Moved reports whether the network has changed so that the connection cannot
	// continue: see Monitor.Hint. It must not block. If it is nil, the addresses
	// of the watched Conn are used.
	Moved func() bool

	clock clock // replaced by tests
}

// DefaultOptions returns Options with an Interval of 30 s and a CountMax of 6: a peer
// is lost after three and a half minutes of silence.
func DefaultOptions() Options {
	return Options{Interval: 30 * time.Second, CountMax: 6}
}

// PacketTimeout returns Interval × CountMax, the time that ssh waits for each packet
// of the handshake. It is for Conn.SetPacketTimeout. Zero means no limit.
func (o Options) PacketTimeout() time.Duration {
	if o.Interval <= 0 || o.CountMax <= 0 {
		return 0
	}
	if o.Interval > math.MaxInt64/time.Duration(o.CountMax) {
		return math.MaxInt64
	}
	return o.Interval * time.Duration(o.CountMax)
}

// longest is a limit that keeps sums of durations from overflowing.
const longest = 100 * 365 * 24 * time.Hour

// A Monitor monitors one connection until the connection ends, Stop is called, or the
// peer is lost. Its methods may be called by several goroutines.
type Monitor struct {
	conn    Requester
	watched *Conn // may be nil
	opts    Options
	clock   clock
	epoch   time.Time // the start of durations; that of watched, if it is set

	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
	hints    chan struct{} // holds one
	answers  chan struct{} // holds one: ask has returned
	done     chan struct{} // closed at the end of run

	// request is the method value m.ask, made once to save allocations.
	request     func()
	outstanding atomic.Bool
	answered    atomic.Int64 // when the last answer arrived

	judge judge // used by run only

	mu     sync.Mutex
	stats  Stats // without the fields that Stats sets
	lost   *PeerLostError
	failed error // of the last SendRequest
}

// Start starts a Monitor of conn, which runs over watched. watched may be nil if the
// net.Conn is not available, as with ssh.Dial or a multiplexing master. Then only
// answers are signs of life, and these may be delayed by a download. The end of conn
// is noticed at the next request. If the peer is lost, conn is closed if it has a
// Close method, and Err returns the reason, which the errors of conn do not have.
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
	m.answered.Store(int64(now)) // the start counts as a sign of life
	m.judge.start(m, now)
	go m.run()
	return m
}

// Stats returns the current statistics.
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

// Done returns a channel that is closed when the Monitor has ended.
func (m *Monitor) Done() <-chan struct{} { return m.done }

// Err returns a *PeerLostError if the peer is lost, and nil otherwise. Other causes of
// a connection's end are reported by the connection.
func (m *Monitor) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost == nil {
		return nil
	}
	return m.lost
}

// Stop ends the Monitor and waits until its goroutine has ended. The connection stays
// open. The goroutine of an outstanding request ends with the answer or the
// connection.
func (m *Monitor) Stop() {
	m.stopOnce.Do(func() { close(m.stopping) })
	<-m.done
}

// Hint tells the Monitor that the network may have changed. A request is sent at once,
// and again after 2 s and 4 s. The peer is lost after 6 s if there was no sign of life
// in the last 4 s, this machine no longer has the local address of the connection, and
// the peer is reached from another address. So a move to another network is noticed
// within seconds. Otherwise ssh's rule applies as if there had been no hint, because a
// connection survives a short outage. Hint does not block.
func (m *Monitor) Hint() {
	select {
	case m.hints <- struct{}{}:
	default: // there is an unseen hint already
	}
}

func (m *Monitor) now() time.Duration { return m.clock.now().Sub(m.epoch) }

// at converts a time counted from the epoch into a time.Time. It is computed from the
// current time, since the epoch's wall clock does not include sleep.
func (m *Monitor) at(t time.Duration) time.Time {
	now := m.clock.now()
	return now.Add(t - now.Sub(m.epoch))
}

// lastHeard returns the time of the last sign of life.
func (m *Monitor) lastHeard() time.Duration {
	heard := time.Duration(m.answered.Load())
	if m.watched != nil {
		heard = max(heard, time.Duration(m.watched.heard.Load()))
	}
	return heard
}

// send starts a request, unless one is outstanding. It does not block.
func (m *Monitor) send(now time.Duration) {
	if !m.outstanding.CompareAndSwap(false, true) {
		return
	}
	m.judge.asked = now
	m.judge.backlog.begin(m.watched)
	m.mu.Lock()
	m.stats.ProbesSent++
	m.mu.Unlock()
	m.debug("sending " + RequestName)
	go m.request()
}

// ask sends one request and waits for the answer. It runs in its own goroutine, since
// neither can be canceled, and ends with the answer or the connection.
func (m *Monitor) ask() {
	start := m.now()
	_, _, err := m.conn.SendRequest(RequestName, true, nil)
	end := m.now()

	m.mu.Lock()
	m.failed = err
	if err == nil {
		// Success and failure are both answers.
		m.answered.Store(int64(end))
		m.stats.addRTT(end - start)
	}
	m.mu.Unlock()
	m.outstanding.Store(false)
	select {
	case m.answers <- struct{}{}:
	default: // the previous one has not been seen yet
	}
}

// broken reports whether the last request failed in a way that ends the Monitor. With a
// watched net.Conn a failed request does not end it.
func (m *Monitor) broken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.watched == nil && m.failed != nil
}

func (m *Monitor) missed() {
	m.mu.Lock()
	m.stats.ProbesMissed++
	m.mu.Unlock()
}

// addRTT adds the round-trip time of a request to the statistics.
func (s *Stats) addRTT(rtt time.Duration) {
	if s.SmoothedRTT == 0 {
		s.SmoothedRTT = rtt
	}
	s.RTT = rtt
	s.SmoothedRTT += (rtt - s.SmoothedRTT) / 8
	s.WorstRTT = max(s.WorstRTT, rtt)
}

// A State is the state of a Monitor.
type State int

const (
	// StateAlive means that there was a sign of life within the last interval, or
	// that a request was sent less than an interval ago.
	StateAlive State = iota
	// StateSilent means that the peer has not answered a request for an interval or
	// more (for 2 s after a Hint). It is not lost yet.
	StateSilent
	// StateLost means that the peer is lost and the connection is closed.
	StateLost
	// StateEnded means that the Monitor was stopped, or that the connection ended.
	StateEnded
)

// String returns the state in one word.
func (s State) String() string {
	switch s {
	case StateAlive:
		return "alive"
	case StateSilent:
		return "silent"
	case StateLost:
		return "lost"
	case StateEnded:
		return "ended"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Stats are the statistics of a Monitor.
type Stats struct {
	State State
	// LastHeard is the time of the last sign of life. The start of the Monitor
	// counts as one.
	LastHeard time.Time
	// RTT, SmoothedRTT and WorstRTT are the times from request to answer: the last
	// one, the mean (RFC 6298, with an eighth of each new one), and the longest.
	// They are zero before the first answer. They include the time that a request
	// waits behind outgoing data and behind another caller's request.
	RTT, SmoothedRTT, WorstRTT time.Duration
	// ProbesSent is the number of requests, and ProbesMissed the number of intervals
	// at whose end a request had no answer.
	ProbesSent, ProbesMissed uint64
	// Missed is the number of consecutive intervals without a sign of life, which is
	// compared with CountMax.
	Missed int
	// Outstanding reports whether a request waits for its answer, or to be sent.
	Outstanding bool
	// BytesIn and BytesOut are those of the watched Conn, or zero.
	BytesIn, BytesOut uint64
}
