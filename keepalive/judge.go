package keepalive

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// hintInterval is the time between the requests after a hint, and hintProbes their
// number.
const (
	hintInterval = 2 * time.Second
	hintProbes   = 3
)

// A judge is the state that decides whether the peer is lost. Only run uses it. Times
// are counted from the Monitor's epoch.
type judge struct {
	heard time.Duration // the last known sign of life
	since time.Duration // when the current interval began
	count int           // expired intervals since the last sign of life

	series     int           // remaining checks after a hint
	seriesNext time.Duration // when the next one is due
	asked      time.Duration // when the last request was sent

	due     time.Duration // the time that the timer was set for
	asleep  time.Duration // clock.asleep at the last check
	backlog backlog
}

func (j *judge) start(m *Monitor, now time.Duration) {
	j.heard, j.since = now, now
	j.asked = now - hintInterval
	j.asleep = m.clock.asleep()
	j.backlog.init(m.watched)
}

// next sets the time of the next check, and returns it.
func (j *judge) next(interval time.Duration) time.Duration {
	j.due = j.since + interval
	if j.series > 0 {
		j.due = min(j.due, j.seriesNext)
	}
	return j.due
}

// run monitors the connection. It ends with Stop, with the connection, or when the
// peer is lost.
func (m *Monitor) run() {
	defer close(m.done)
	var ended <-chan struct{}
	if m.watched != nil {
		ended = m.watched.ended
	}
	var expired <-chan time.Time
	var timer *time.Timer
	if m.opts.Interval > 0 {
		timer = time.NewTimer(m.judge.next(m.opts.Interval) - m.now())
		defer timer.Stop()
		expired = timer.C
	}
	for {
		select {
		case <-m.stopping:
			m.setState(StateEnded)
			return
		case <-ended:
			m.setState(StateEnded)
			return
		case <-m.answers:
			if m.broken() {
				m.setState(StateEnded)
				return
			}
			m.listen()
		case <-m.hints:
			if timer == nil {
				continue // turned off
			}
			now := m.now()
			m.slept(now)
			m.hinted(now)
		case <-expired:
			if lost := m.check(m.now()); lost != nil {
				m.giveUp(lost)
				return
			}
		}
		if timer != nil {
			timer.Reset(m.judge.next(m.opts.Interval) - m.now())
		}
	}
}

// check is called when a timer fires. It returns an error if the peer is lost.
func (m *Monitor) check(now time.Duration) *PeerLostError {
	j := &m.judge
	if m.slept(now) {
		m.hinted(now)
		return nil
	}
	m.listen()
	if j.series > 0 && now >= j.seriesNext {
		if lost := m.seriesTick(now); lost != nil {
			return lost
		}
	}
	if now >= j.since+m.opts.Interval {
		return m.tick(now)
	}
	return nil // data has arrived since the timer was set
}

// listen records signs of life.
func (m *Monitor) listen() {
	j := &m.judge
	heard := m.lastHeard()
	if heard <= j.heard {
		return
	}
	j.heard = heard
	m.fresh(heard)
}

// fresh gives the peer its whole budget again, beginning at since.
func (m *Monitor) fresh(since time.Duration) {
	j := &m.judge
	j.since = max(j.since, since)
	m.setCount(0)
	m.setState(StateAlive)
}

// slept reports whether this process did not run for a while. If so, it gives the
// peer a new budget.
func (m *Monitor) slept(now time.Duration) bool {
	j := &m.judge
	asleep := m.clock.asleep()
	jump := asleep - j.asleep
	j.asleep = asleep
	if late := now - j.due; late < lateness && jump < lateness {
		return false
	}
	m.debug("clock jumped, the peer gets a fresh budget")
	j.series = 0 // earlier hints are outdated
	m.listen()
	m.fresh(now)
	return true
}

// tick is called when an interval has expired. It returns an error if the peer is
// lost.
func (m *Monitor) tick(now time.Duration) *PeerLostError {
	j := &m.judge
	out := m.outstanding.Load()
	if out && j.backlog.progressed(m.watched) {
		m.debug("request still queued behind data that is being received")
		m.fresh(now)
		return nil
	}
	j.since = now
	m.setCount(j.count + 1)
	if out {
		m.missed()
	}
	if j.count > max(m.opts.CountMax, 0) {
		return m.verdict(now, ReasonSilent)
	}
	if j.count > 1 {
		m.setState(StateSilent)
	}
	m.send(now)
	return nil
}

// hinted begins a series of requests after a hint. Another hint during a series makes
// it longer, but the requests do not become more frequent.
func (m *Monitor) hinted(now time.Duration) {
	j := &m.judge
	pause := min(hintInterval, m.opts.Interval)
	if j.series == 0 {
		j.seriesNext = now + pause
		if now-j.asked >= pause {
			m.send(now)
		}
	}
	j.series = hintProbes
}

// seriesTick does one check of a series. The last one may find that the peer is lost:
// not because of silence alone, which a short outage also causes, but if the network
// has changed.
func (m *Monitor) seriesTick(now time.Duration) *PeerLostError {
	j := &m.judge
	pause := min(hintInterval, m.opts.Interval)
	j.seriesNext = now + pause
	j.series--
	if m.outstanding.Load() && now-max(j.asked, j.heard) >= pause {
		m.missed()
		m.setState(StateSilent)
	}
	if j.series > 0 {
		m.send(now)
		return nil
	}
	if now-j.heard >= 2*pause && m.moved() {
		return m.verdict(now, ReasonMoved)
	}
	return nil
}

func (m *Monitor) verdict(now time.Duration, reason Reason) *PeerLostError {
	return &PeerLostError{
		LastHeard: m.at(m.judge.heard),
		Silence:   now - m.judge.heard,
		Missed:    m.judge.count,
		Reason:    reason,
	}
}

// giveUp publishes that the peer is lost, and closes the transport.
func (m *Monitor) giveUp(lost *PeerLostError) {
	m.mu.Lock()
	m.lost = lost
	m.mu.Unlock()
	m.debug(lost.Error())
	go m.hangUp(lost)
	m.setState(StateLost)
}

// hangUp closes the transport. It runs in a goroutine, because closing a channel
// through a jump host writes to the jump host and may block.
func (m *Monitor) hangUp(lost *PeerLostError) {
	if m.watched != nil {
		m.watched.fail(lost)
		return
	}
	if c, ok := m.conn.(io.Closer); ok {
		c.Close()
	}
}

func (m *Monitor) setCount(n int) {
	m.judge.count = n
	m.mu.Lock()
	m.stats.Missed = n
	m.mu.Unlock()
}

func (m *Monitor) setState(s State) {
	m.mu.Lock()
	changed := m.stats.State != s
	m.stats.State = s
	m.mu.Unlock()
	if changed && m.opts.OnChange != nil {
		m.opts.OnChange(m.Stats())
	}
}

// debug logs a message at debug level, if that level is enabled.
func (m *Monitor) debug(msg string) {
	if l := m.opts.Logger; l != nil {
		l.LogAttrs(context.Background(), slog.LevelDebug, msg)
	}
}
