package keepalive

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// sleeper is a clock whose machine sleeps when told to.
type sleeper struct{ total atomic.Int64 }

func (s *sleeper) sleep(d time.Duration) { s.total.Add(int64(d)) }

func (s *sleeper) options() Options {
	o := usual
	o.clock.asleep = func() time.Duration { return time.Duration(s.total.Load()) }
	return o
}

// A sleep during which the timers stood still: the peer gets a fresh budget,
// beginning with the tick at which the sleep is noticed.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sleeper
		p := newPair(t, newLink(1<<20, 0), ignore)
		start := time.Now()
		m := Start(p.client, p.watched, s.options())
		p.stall(true)
		aliveAfter(t, m, 55*time.Second) // the verdict is due at 60 s
		s.sleep(8 * time.Hour)
		aliveAfter(t, m, 6*time.Second)
		if st := m.Stats(); st.State != StateAlive || st.Missed != 0 {
			t.Errorf("after the sleep: %+v", st)
		}
		lostAt(t, start, m, p.client, 120*time.Second)
	})
}

func TestShortSuspendAndSetClock(t *testing.T) {
	for _, jump := range []time.Duration{lateness - 1, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var s sleeper
			p := newPair(t, newLink(1<<20, 0), ignore)
			start := time.Now()
			m := Start(p.client, p.watched, s.options())
			aliveAfter(t, m, 55*time.Second)
			s.sleep(jump)
			lostAt(t, start, m, p.client, 60*time.Second)
		})
	}
}

// After a sleep the peer is asked at once, and it answers.
func TestSuspendAsksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sleeper
		p := newPair(t, newLink(1<<20, 0), success)
		m := Start(p.client, p.watched, s.options())
		aliveAfter(t, m, 14*time.Second)
		s.sleep(time.Hour)
		aliveAfter(t, m, time.Second)
		if st := m.Stats(); st.ProbesSent != 1 {
			t.Errorf("asked %d times, want at once", st.ProbesSent)
		}
		aliveAfter(t, m, 4*time.Second)
		if st := m.Stats(); st.ProbesSent != 3 {
			t.Errorf("asked %d times within 4 s, want 3", st.ProbesSent)
		}
		// After the series the interval counts from the last answer.
		aliveAfter(t, m, 14*time.Second)
		if st := m.Stats(); st.ProbesSent != 3 {
			t.Errorf("asked %d times within 18 s, want 3", st.ProbesSent)
		}
		aliveAfter(t, m, time.Second)
		if st := m.Stats(); st.ProbesSent != 4 {
			t.Errorf("asked %d times within 19 s, want 4", st.ProbesSent)
		}
		m.Stop()
	})
}

// A process that was stopped sees its timers late; here the Monitor's own
// goroutine is held up, which looks the same.
func TestLateTimer(t *testing.T) {
	for _, test := range []struct{ held, want time.Duration }{
		{10 * time.Minute, 10*time.Minute + 30*time.Second + 60*time.Second},
		// Late by a second: the tick was due at 45 s.
		{16 * time.Second, 46*time.Second + 60*time.Second},
		// Late, but not by much: the tick happens when it can.
		{15*time.Second + 900*time.Millisecond, 60*time.Second + 900*time.Millisecond},
		{10 * time.Second, 60 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, newLink(1<<20, 0), ignore)
			start := time.Now()
			opts := usual
			first := true
			opts.OnChange = func(s Stats) {
				if s.State == StateSilent && first { // at 30 s
					first = false
					time.Sleep(test.held)
				}
			}
			m := Start(p.client, p.watched, opts)
			p.stall(true)
			lostAt(t, start, m, p.client, test.want)
		})
	}
}

// A process that is stopped during the series of a hint begins anew, too.
func TestLateSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(1<<20, 0), ignore)
		start := time.Now()
		opts := usual
		opts.Moved = func() bool { return true }
		first := true
		opts.OnChange = func(s Stats) {
			if s.State == StateSilent && first { // 2 s after the hint
				first = false
				time.Sleep(10 * time.Minute)
			}
		}
		m := Start(p.client, p.watched, opts)
		p.stall(true)
		m.Hint()
		// The timer that was due at 4 s counts as the hint of a second series.
		lost := lostAt(t, start, m, p.client, 10*time.Minute+8*time.Second)
		if lost.Reason != ReasonMoved {
			t.Errorf("reason %v", lost.Reason)
		}
	})
}

// The system's own measure stands still while the machine is awake.
func TestSleepMeter(t *testing.T) {
	asleep := sleepMeter()
	first := asleep()
	if diff := asleep() - first; diff <= -lateness || diff >= lateness {
		t.Errorf("the machine slept for %v between two calls", diff)
	}
}

func TestHint(t *testing.T) {
	for _, test := range []struct {
		name  string
		moved bool
		want  time.Duration
		why   Reason
	}{
		{"moved", true, 7*time.Second + 6*time.Second, ReasonMoved},
		{"outage", false, 60 * time.Second, ReasonSilent},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, newLink(1<<20, 0), ignore)
				start := time.Now()
				opts := usual
				opts.Moved = func() bool { return test.moved }
				m := Start(p.client, p.watched, opts)
				p.stall(true)
				aliveAfter(t, m, 7*time.Second)
				m.Hint()
				synctest.Wait()
				if s := m.Stats(); s.ProbesSent != 1 || !s.Outstanding {
					t.Errorf("not asked at once: %+v", s)
				}
				aliveAfter(t, m, 3*time.Second)
				if s := m.Stats(); s.State != StateSilent {
					t.Errorf("after 3 s: %+v", s)
				}
				lost := lostAt(t, start, m, p.client, test.want)
				if lost.Reason != test.why {
					t.Errorf("reason %v", lost.Reason)
				}
			})
		})
	}
}

// A peer that answers lives on, though the address looks gone.
func TestHintAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(1<<20, 0), success)
		opts := usual
		opts.Moved = func() bool { return true }
		m := Start(p.client, p.watched, opts)
		// Many hints are no more requests than one.
		for range 50 {
			m.Hint()
			time.Sleep(10 * time.Millisecond)
		}
		aliveAfter(t, m, 7*time.Second)
		if s := m.Stats(); s.ProbesSent < 3 || s.ProbesSent > 4 {
			t.Errorf("asked %d times in 7 s", s.ProbesSent)
		}
		aliveAfter(t, m, time.Hour)
		m.Stop()
	})
}

// Hints neither hasten ssh's verdict nor put it off.
func TestHintsDoNotDefer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(1<<20, 0), ignore)
		start := time.Now()
		m := Start(p.client, p.watched, usual)
		p.stall(true)
		var hints sync.WaitGroup
		hints.Go(func() {
			for range 100 {
				m.Hint()
				time.Sleep(1700 * time.Millisecond)
			}
		})
		lostAt(t, start, m, p.client, 60*time.Second)
		hints.Wait()
	})
}
