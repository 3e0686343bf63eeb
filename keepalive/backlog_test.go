package keepalive

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// A slow uplink with a deep buffer, saturated by four uploads, that stops for
// two seconds now and then: the peer is alive, and stays so, although a request
// takes 20 s to reach it and the budget is 8 s.
func TestSaturatedUplink(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real clock for 8 s")
	}
	// The real clock, since writers wait for the connection's mutex; so
	// everything is ten times as fast: 500 KB/s for 50, 0.2 s for 2.
	p := newPair(t, newLink(1<<20, 500_000), success)
	go acceptAndRead(p)
	m := Start(p.client, p.watched, Options{Interval: 200 * time.Millisecond, CountMax: 3})
	defer m.Stop()

	var uploads sync.WaitGroup
	for range 4 {
		ch, reqs, err := p.client.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go ssh.DiscardRequests(reqs)
		uploads.Go(func() {
			if _, err := ch.Write(make([]byte, 900_000)); err != nil {
				t.Error(err)
			}
		})
	}
	uploaded := make(chan struct{})
	go func() {
		uploads.Wait()
		close(uploaded)
	}()
	stall := time.NewTicker(time.Second)
	defer stall.Stop()
	for {
		select {
		case <-stall.C:
			p.stall(true)
			time.Sleep(200 * time.Millisecond) // the stall itself
			p.stall(false)
		case <-m.Done():
			t.Fatalf("declared lost: %v", m.Err())
		case <-uploaded:
			return
		}
	}
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
			aliveAfter(t, m, time.Hour)
			// Now nothing moves any more. The last tick that saw some was at
			// an hour, and the rule begins anew there.
			l.up.stall(true)
			lostAt(t, start, m, nil, time.Hour+60*time.Second)
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
