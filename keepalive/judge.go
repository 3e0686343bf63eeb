package keepalive

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// hintInterval is the pause between the requests that a hint causes, and
// hintProbes their number.
const (
	hintInterval = 2 * time.Second
	hintProbes   = 3
)

// A judge holds what the verdict is made from. It belongs to run alone. Times
// count from the Monitor's epoch.
type judge struct {
	heard time.Duration // the last sign of life that was seen
	since time.Duration // when the current interval began
	count int           // expired intervals since the last sign of life

	series     int           // checks of a hint still to come
	seriesNext time.Duration // when the next one is due
	asked      time.Duration // when the last request went out

	due     time.Duration // what the timer was set for
	asleep  time.Duration // clock.asleep at the last look
	backlog backlog
}

func (j *judge) start(m *Monitor, now time.Duration) {
	j.heard, j.since = now, now
	j.asked = now - hintInterval
	j.asleep = m.clock.asleep()
	j.backlog.init(m.watched)
}

// next sets and returns the time of the next check.
func (j *judge) next(interval time.Duration) time.Duration {
	j.due = j.since + interval
	if j.series > 0 {
		j.due = min(j.due, j.seriesNext)
	}
	return j.due
}

// run watches the connection. It ends with Stop, with the connection, and with
// the verdict.
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

// check is what a timer leads to. It returns the verdict, if one falls.
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
	return nil // something came in since the timer was set
}

// listen takes note of signs of life.
func (m *Monitor) listen() {
	j := &m.judge
	heard := m.lastHeard()
	if heard <= j.heard {
		return
	}
	j.heard = heard
	m.fresh(heard)
}

// fresh gives the peer its whole budget again, from the time since.
func (m *Monitor) fresh(since time.Duration) {
	j := &m.judge
	j.since = max(j.since, since)
	m.setCount(0)
	m.setState(StateAlive)
}

// slept says whether this process was out for a while, and makes a fresh start
// if so.
func (m *Monitor) slept(now time.Duration) bool {
	j := &m.judge
	asleep := m.clock.asleep()
	jump := asleep - j.asleep
	j.asleep = asleep
	if late := now - j.due; late < lateness && jump < lateness {
		return false
	}
	m.debug("clock jumped, the peer gets a fresh budget")
	j.series = 0 // an earlier hint means nothing any more
	m.listen()
	m.fresh(now)
	return true
}

// tick is the expiry of an interval.
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

// hinted begins the series of requests that a hint causes. During a series
// another hint makes it longer, not denser.
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

// seriesTick is one check of a series. The last one may bring the verdict: not
// on silence alone, which a short outage brings too, but if the network moved.
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

// giveUp makes the verdict known and closes the transport.
func (m *Monitor) giveUp(lost *PeerLostError) {
	m.mu.Lock()
	m.lost = lost
	m.mu.Unlock()
	m.debug(lost.Error())
	go m.hangUp(lost)
	m.setState(StateLost)
}

// hangUp closes the transport. It ends when that is done, which nobody waits
// for: to close a channel through a jump host means to write to that.
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

// debug logs. Its arguments cost nothing if nobody listens.
func (m *Monitor) debug(msg string) {
	if l := m.opts.Logger; l != nil {
		l.LogAttrs(context.Background(), slog.LevelDebug, msg)
	}
}
