package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNet dials by a script: after how long, and with what.
type fakeNet struct {
	mu    sync.Mutex
	begun map[string]time.Duration
	start time.Time
	conns []*fakeConn
	hosts map[string]fakeHost
}

type fakeHost struct {
	after time.Duration // 0: never
	err   error
}

type fakeConn struct {
	net.Conn
	addr   string
	closed atomic.Bool
}

func (c *fakeConn) Close() error { c.closed.Store(true); return nil }

func (f *fakeNet) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	name := addr.Addr().String()
	f.mu.Lock()
	f.begun[name] = time.Since(f.start)
	f.mu.Unlock()
	h := f.hosts[name]
	if h.after == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(h.after) // not bound to ctx: this one comes too late
	if h.err != nil {
		return nil, h.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &fakeConn{addr: name}
	f.conns = append(f.conns, c)
	return c, nil
}

func addrs(names ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, n := range names {
		out = append(out, netip.AddrPortFrom(netip.MustParseAddr(n), 22))
	}
	return out
}

func TestRace(t *testing.T) {
	refused, unreachable := errors.New("refused"), errors.New("unreachable")
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		hosts map[string]fakeHost
		want  string // the address, or the error
		took  time.Duration
		begun map[string]time.Duration
	}{
		{"the first answers", map[string]fakeHost{"::1": {after: 10 * ms}}, "::1", 10 * ms,
			map[string]time.Duration{"::1": 0}},
		{"the first is silent", map[string]fakeHost{"::2": {after: 10 * ms}}, "::2", 260 * ms,
			map[string]time.Duration{"::1": 0, "::2": 250 * ms}},
		{"the first refuses", map[string]fakeHost{"::1": {5 * ms, refused}, "::2": {after: 10 * ms}}, "::2", 15 * ms,
			map[string]time.Duration{"::1": 0, "::2": 5 * ms}},
		{"the first is late and still wins", map[string]fakeHost{"::1": {after: 260 * ms}, "::2": {after: 100 * ms}}, "::1", 260 * ms,
			map[string]time.Duration{"::1": 0, "::2": 250 * ms}},
		{"all fail", map[string]fakeHost{"::1": {5 * ms, refused}, "::2": {5 * ms, refused}, "::3": {5 * ms, unreachable}}, "unreachable", 15 * ms,
			map[string]time.Duration{"::1": 0, "::2": 5 * ms, "::3": 10 * ms}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeNet{begun: map[string]time.Duration{}, start: time.Now(), hosts: test.hosts}
				conn, err := race(t.Context(), addrs("::1", "::2", "::3"), f.dial)
				if took := time.Since(f.start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				got := ""
				if err != nil {
					got = err.Error()
				} else {
					got = conn.(*fakeConn).addr
				}
				if got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
				synctest.Wait()
				time.Sleep(time.Second) // the losers come in
				f.mu.Lock()
				defer f.mu.Unlock()
				for name, at := range test.begun {
					if f.begun[name] != at {
						t.Errorf("%s was tried at %v, want %v", name, f.begun[name], at)
					}
				}
				if len(f.begun) != len(test.begun) {
					t.Errorf("tried %v, want %v", f.begun, test.begun)
				}
				for _, c := range f.conns {
					if c.closed.Load() == (c.addr == test.want) {
						t.Errorf("connection to %s: closed %v", c.addr, c.closed.Load())
					}
				}
			})
		})
	}
}

func TestRaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f := &fakeNet{begun: map[string]time.Duration{}, start: time.Now()}
		if _, err := race(ctx, addrs("::1", "::2"), f.dial); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
		if took := time.Since(f.start); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestInterleave(t *testing.T) {
	parse := func(names ...string) (out []netip.Addr) {
		for _, n := range names {
			out = append(out, netip.MustParseAddr(n))
		}
		return out
	}
	got := interleave(parse("::1", "::2", "::3", "1.1.1.1", "1.1.1.2"))
	if want := parse("::1", "1.1.1.1", "::2", "1.1.1.2", "::3"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := interleave(nil); len(got) != 0 {
		t.Errorf("got %v of nothing", got)
	}
}
