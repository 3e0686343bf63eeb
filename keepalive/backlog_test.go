package keepalive

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// A slow uplink with a deep buffer, saturated by four uploads, that stops for
// two seconds now and then: the peer is alive, and stays so, although a request
// takes more than a minute to reach it and the budget is 8 s. What comes back
// for the data (window adjustments) is life.
func TestSaturatedUplink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The buffer takes it all: synctest's clock stands still while
		// writers wait for each other.
		p := newPair(t, newLink(4<<20, 50_000), success)
		go acceptAndRead(p)
		var channels []ssh.Channel
		for range 4 {
			ch, reqs, err := p.client.OpenChannel("session", nil)
			if err != nil {
				t.Fatal(err)
			}
			go ssh.DiscardRequests(reqs)
			channels = append(channels, ch)
		}
		start := time.Now()
		m := Start(p.client, p.watched, Options{Interval: 2 * time.Second, CountMax: 3})
		for _, ch := range channels {
			if _, err := ch.Write(make([]byte, 900_000)); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Fatalf("the buffer held the writes up for %v", got)
		}
		for range 20 {
			aliveAfter(t, m, 5*time.Second)
			p.stall(true)
			aliveAfter(t, m, 2*time.Second)
			p.stall(false)
		}
		if s := m.Stats(); s.WorstRTT < 8*time.Second {
			t.Errorf("no request was held up for longer than the budget: %v", s.WorstRTT)
		}
		m.Stop()
	})
}

// writeAll is a program that always has more to send.
func writeAll(c io.Writer) {
	buf := make([]byte, 32<<10)
	for {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// A Write that just began is not held up, whatever becomes of it.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(10, 0)
		l.stall(true)
		c := WrapConn(l.client)
		time.Sleep(time.Minute)
		var log backlog
		log.init(c)
		expect := func(want bool, when string) {
			t.Helper()
			synctest.Wait()
			if log.look(c); log.blocked != want {
				t.Errorf("%s: %v", when, log.blocked)
			}
		}
		expect(false, "before")
		go c.Write(make([]byte, 15))
		expect(false, "just begun")
		time.Sleep(heldUp)
		expect(true, "held up")
		l.stall(false)
		expect(false, "through")
		if log.out != 15 {
			t.Errorf("%d bytes", log.out)
		}
		l.close()
	})
}

// The generic proof. A peer that takes our bytes slowly, and sends nothing at
// all, is alive while a Write that was held up goes through; a black hole,
// full or filling, is not, and is found at the tick where it would be without
// any backlog.
func TestHeldUpWrites(t *testing.T) {
	t.Run("slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLink(4<<20, 50_000)
			c := WrapConn(l.client)
			f := newFakeRequester()
			f.silent.Store(true) // its answer is behind it all
			start := time.Now()
			m := Start(f, c, usual)
			go writeAll(c)
			go io.Copy(io.Discard, l.server)
			aliveAfter(t, m, 10*time.Minute)
			// Now nothing moves any more. The last tick that saw some was at
			// ten minutes, and the rule begins anew there.
			l.up.stall(true)
			lostAt(t, start, m, nil, 11*time.Minute)
			f.Close()
			l.close()
		})
	})
	t.Run("black hole", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLink(4<<20, 0)
			c := WrapConn(l.client)
			f := newFakeRequester()
			f.silent.Store(true)
			l.stall(true)
			start := time.Now()
			m := Start(f, c, usual)
			// 100 KB/s into 4 MB: not full before 40 s.
			go func() {
				for range 1000 {
					if _, err := c.Write(make([]byte, 100_000)); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			lostAt(t, start, m, nil, 60*time.Second)
			f.Close()
			l.close()
		})
	})
}
