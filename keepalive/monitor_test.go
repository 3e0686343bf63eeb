package keepalive

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// options of the tests, unless they need others: dead after 60 s.
var usual = Options{Interval: 15 * time.Second, CountMax: 3}

// lostAt waits for the verdict and checks the tick at which it falls, counted
// from start, and that everything that waits on the connection has returned by
// then.
func lostAt(t *testing.T, start time.Time, m *Monitor, conn ssh.Conn, want time.Duration) *PeerLostError {
	t.Helper()
	<-m.Done()
	if got := time.Since(start); got != want {
		t.Errorf("verdict at %v, want %v", got, want)
	}
	if conn != nil {
		if err := conn.Wait(); !errors.Is(err, ErrPeerLost) {
			t.Errorf("Wait returned %v, not ErrPeerLost", err)
		}
		if got := time.Since(start); got != want {
			t.Errorf("Wait returned at %v, want %v", got, want)
		}
	}
	var lost *PeerLostError
	if err := m.Err(); !errors.As(err, &lost) || !errors.Is(err, ErrPeerLost) {
		t.Fatalf("Err is %v", err)
	}
	if s := m.Stats(); s.State != StateLost {
		t.Errorf("state %v", s.State)
	}
	return lost
}

// aliveAfter lets time pass and checks that no verdict fell meanwhile.
func aliveAfter(t *testing.T, m *Monitor, d time.Duration) {
	t.Helper()
	select {
	case <-m.Done():
		t.Fatalf("ended: %v", m.Err())
	case <-time.After(d):
	}
	synctest.Wait()
}

func TestSilentPeer(t *testing.T) {
	for _, test := range []struct {
		interval time.Duration
		count    int
		want     time.Duration
		sent     uint64
	}{
		{15 * time.Second, 3, 60 * time.Second, 1},
		{30 * time.Second, 6, 210 * time.Second, 1},
		{1 * time.Second, 2, 3 * time.Second, 1},
		{2 * time.Second, 1, 4 * time.Second, 1},
		{1 * time.Second, 0, 1 * time.Second, 0}, // ssh, too, does not even ask
		{1 * time.Second, -1, 1 * time.Second, 0},
		{50 * time.Millisecond, 3, 200 * time.Millisecond, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, newLink(1<<20, 0), success)
			start := time.Now()
			m := Start(p.client, p.watched, Options{Interval: test.interval, CountMax: test.count})
			p.stall(true)
			lost := lostAt(t, start, m, p.client, test.want)
			want := PeerLostError{LastHeard: start, Silence: test.want, Missed: max(test.count, 0) + 1}
			if !lost.LastHeard.Equal(start) || lost.Silence != want.Silence || lost.Missed != want.Missed || lost.Reason != ReasonSilent {
				t.Errorf("got %+v, want %+v", *lost, want)
			}
			if s := m.Stats(); s.ProbesSent != test.sent || s.ProbesMissed != uint64(max(test.count, 0)) {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestAnswersAreLife(t *testing.T) {
	for name, answer := range map[string]func(*ssh.Request){"success": success, "failure": failure} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, newLink(1<<20, 0), answer)
				m := Start(p.client, p.watched, usual)
				aliveAfter(t, m, time.Hour+time.Second)
				if s := m.Stats(); s.ProbesSent != 240 || s.ProbesMissed != 0 || s.Outstanding || s.State != StateAlive {
					t.Errorf("stats %+v", s)
				}
				m.Stop()
			})
		})
	}
}

func TestFirstAnswersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := newPair(t, newLink(1<<20, 0), func(r *ssh.Request) {
			if r.Type != RequestName || !r.WantReply || len(r.Payload) != 0 {
				t.Errorf("request %q %v %q", r.Type, r.WantReply, r.Payload)
			}
			if n++; n <= 5 {
				r.Reply(true, nil)
			}
		})
		start := time.Now()
		m := Start(p.client, p.watched, usual)
		// Answered at 15, 30, 45, 60 and 75 s.
		lost := lostAt(t, start, m, p.client, 135*time.Second)
		if got := lost.LastHeard.Sub(start); got != 75*time.Second {
			t.Errorf("last heard at %v", got)
		}
	})
}

// A peer that sends data and answers nothing lives as long as it sends.
func TestDataIsLife(t *testing.T) {
	for _, test := range []struct {
		every time.Duration
		sent  uint64 // requests, of which none is answered
	}{
		{10 * time.Second, 1}, // first asked when the data end
		{20 * time.Second, 1},
		{59 * time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, newLink(1<<20, 0), ignore)
			start := time.Now()
			m := Start(p.client, p.watched, usual)
			for range 20 {
				aliveAfter(t, m, test.every)
				// Any packet: a request that wants no answer.
				p.server.SendRequest("data@example.com", false, nil)
			}
			synctest.Wait()
			if s := m.Stats(); test.every < usual.Interval && s.ProbesSent != 0 {
				t.Errorf("asked %d times while data came", s.ProbesSent)
			}
			lostAt(t, start, m, p.client, 20*test.every+60*time.Second)
			if s := m.Stats(); s.ProbesSent != test.sent {
				t.Errorf("%d requests, want %d", s.ProbesSent, test.sent)
			}
		})
	}
}

// The verdict does not wait for a write: here the send buffer is full, and the
// request itself is held up in its Write.
func TestBlockedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(32<<10, 0), success)
		synctest.Wait()
		start := time.Now()
		m := Start(p.client, p.watched, usual)
		p.stall(true)
		p.up.fill()
		lostAt(t, start, m, p.client, 60*time.Second)
		if s := m.Stats(); s.ProbesSent != 1 || !s.Outstanding && s.RTT != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// acceptAndRead serves channels at the server: it reads what comes.
func acceptAndRead(p *pair) {
	for nc := range p.chans {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		go io.Copy(io.Discard, ch)
	}
}

// quick is for the tests that need the real clock: synctest's stands still
// while a goroutine waits for a sync.Mutex, as callers of an ssh.Conn do for
// each other.
var quick = Options{Interval: 100 * time.Millisecond, CountMax: 3}

// lostSoon is lostAt on the real clock: never early, and not much later.
func lostSoon(t *testing.T, start time.Time, m *Monitor, conn ssh.Conn, calls <-chan error) {
	t.Helper()
	<-m.Done()
	if got := time.Since(start); got < 400*time.Millisecond {
		t.Errorf("verdict after %v", got)
	}
	if err := m.Err(); !errors.Is(err, ErrPeerLost) {
		t.Errorf("Err is %v", err)
	}
	verdict := time.Now()
	if err := conn.Wait(); !errors.Is(err, ErrPeerLost) {
		t.Errorf("Wait returned %v", err)
	}
	if err := <-calls; err == nil {
		t.Error("a call that waited succeeded")
	}
	// At once, but for a machine that is busy.
	if got := time.Since(verdict); got > 5*time.Second {
		t.Errorf("the calls that waited took %v to return", got)
	}
	if s := m.Stats(); s.ProbesSent != 1 || s.ProbesMissed < 3 {
		t.Errorf("stats %+v", s)
	}
}

// A writer of the program's holds the connection's lock with a Write that the
// full buffer holds up; the request waits for the lock.
func TestRequestBehindBlockedWriter(t *testing.T) {
	p := newPair(t, newLink(8<<10, 0), success)
	go acceptAndRead(p)
	ch, reqs, err := p.client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	p.stall(true)
	start := time.Now()
	m := Start(p.client, p.watched, quick)
	written := make(chan error, 1)
	go func() {
		_, err := ch.Write(make([]byte, 1<<20))
		written <- err
	}()
	lostSoon(t, start, m, p.client, written)
}

// Another caller of SendRequest, whose request is never answered, has the
// connection's one place; the verdict does not wait for it either.
func TestRequestHeldByAnother(t *testing.T) {
	asked := make(chan struct{}, 2)
	p := newPair(t, newLink(1<<20, 0), func(*ssh.Request) { asked <- struct{}{} })
	held := make(chan error, 1)
	go func() {
		_, _, err := p.client.SendRequest("other@example.com", true, nil)
		held <- err
	}()
	<-asked // the request has arrived, and waits for ever
	start := time.Now()
	m := Start(p.client, p.watched, quick)
	lostSoon(t, start, m, p.client, held)
}

func TestTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(1<<20, 0), success)
		m := Start(p.client, p.watched, Options{})
		p.stall(true)
		m.Hint()
		aliveAfter(t, m, 1000*time.Hour)
		if s := m.Stats(); s.ProbesSent != 0 || s.State != StateAlive {
			t.Errorf("stats %+v", s)
		}
		m.Stop()
		if err := m.Err(); err != nil {
			t.Errorf("Err is %v", err)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newLink(1<<20, 0), ignore)
		start := time.Now()
		m := Start(p.client, p.watched, usual)
		aliveAfter(t, m, 50*time.Second)
		if !m.Stats().Outstanding {
			t.Fatal("no request is out")
		}
		m.Stop()
		m.Stop()
		if got := time.Since(start); got != 50*time.Second {
			t.Errorf("Stop took until %v", got)
		}
		<-m.Done()
		if s := m.Stats(); m.Err() != nil || s.State != StateEnded {
			t.Errorf("%v, %+v", m.Err(), s)
		}
		time.Sleep(time.Hour)
		if _, err := p.watched.Write(nil); err != nil {
			t.Errorf("the connection is closed: %v", err)
		}
	})
}

// The Monitor ends with the connection, whoever closes it.
func TestConnectionEnds(t *testing.T) {
	for name, end := range map[string]func(p *pair){
		"by us":   func(p *pair) { p.client.Close() },
		"by them": func(p *pair) { p.server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, newLink(1<<20, 0), success)
				start := time.Now()
				m := Start(p.client, p.watched, usual)
				aliveAfter(t, m, 20*time.Second)
				end(p)
				<-m.Done()
				if err := m.Err(); err != nil || time.Since(start) != 20*time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// A fakeRequester answers, or is silent until it is closed.
type fakeRequester struct {
	silent atomic.Bool
	closed chan struct{}
	once   sync.Once
	delay  atomic.Int64 // of answers, a time.Duration
}

func newFakeRequester() *fakeRequester { return &fakeRequester{closed: make(chan struct{})} }

func (f *fakeRequester) SendRequest(string, bool, []byte) (bool, []byte, error) {
	if f.silent.Load() {
		<-f.closed
	}
	select {
	case <-f.closed:
		return false, nil, io.EOF
	default:
	}
	time.Sleep(time.Duration(f.delay.Load()))
	return true, nil, nil
}

func (f *fakeRequester) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Without a net.Conn answers are the only life, and Close ends the connection.
func TestNoConn(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeRequester()
			f.silent.Store(true)
			start := time.Now()
			m := Start(f, nil, usual)
			lostAt(t, start, m, nil, 60*time.Second)
			<-f.closed
		})
	})
	t.Run("ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeRequester()
			start := time.Now()
			m := Start(f, nil, usual)
			aliveAfter(t, m, 100*time.Second)
			f.Close()
			<-m.Done() // with the next request, at 105 s
			if err := m.Err(); err != nil || time.Since(start) != 105*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	})
}

func TestStatsAndChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type change struct {
			at    time.Duration
			state State
		}
		var mu sync.Mutex
		var changes []change
		start := time.Now()
		opts := usual
		opts.OnChange = func(s Stats) {
			mu.Lock()
			defer mu.Unlock()
			changes = append(changes, change{time.Since(start), s.State})
		}
		f := newFakeRequester()
		f.delay.Store(int64(800 * time.Millisecond))
		m := Start(f, nil, opts)
		aliveAfter(t, m, 16*time.Second)
		want := Stats{
			LastHeard: start.Add(15800 * time.Millisecond), ProbesSent: 1,
			RTT: 800 * time.Millisecond, SmoothedRTT: 800 * time.Millisecond, WorstRTT: 800 * time.Millisecond,
		}
		got := m.Stats()
		if !got.LastHeard.Equal(want.LastHeard) {
			t.Errorf("last heard %v, want %v", got.LastHeard, want.LastHeard)
		}
		got.LastHeard = want.LastHeard
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		f.delay.Store(int64(40 * time.Second)) // sent at 30.8 s, answered at 70.8 s
		aliveAfter(t, m, 50*time.Second)
		if s := m.Stats(); s.State != StateSilent || s.Missed != 3 || s.ProbesMissed != 2 || !s.Outstanding {
			t.Errorf("at 66 s: %+v", s)
		}
		aliveAfter(t, m, 5*time.Second)
		if s := m.Stats(); s.State != StateAlive || s.Missed != 0 || s.SmoothedRTT != 5700*time.Millisecond || s.WorstRTT != 40*time.Second {
			t.Errorf("at 71 s: %+v", s)
		}
		f.silent.Store(true)
		<-m.Done() // last heard at 70.8 s
		f.Close()
		mu.Lock()
		defer mu.Unlock()
		wantChanges := []change{
			{45800 * time.Millisecond, StateSilent}, {70800 * time.Millisecond, StateAlive},
			{100800 * time.Millisecond, StateSilent}, {130800 * time.Millisecond, StateLost},
		}
		if len(changes) != len(wantChanges) {
			t.Fatalf("changes %v", changes)
		}
		for i := range changes {
			if changes[i] != wantChanges[i] {
				t.Errorf("change %d is %v, want %v", i, changes[i], wantChanges[i])
			}
		}
	})
}
