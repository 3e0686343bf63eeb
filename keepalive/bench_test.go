package keepalive

import (
	"io"
	"testing"
)

// probeOnce sends a request as run does and waits for its answer.
func probeOnce(m *Monitor) {
	m.send(m.now())
	<-m.answers
	m.listen()
}

// stillMonitor is a Monitor over real TCP whose run does not run.
func stillMonitor(t testing.TB) *Monitor {
	a, b := tcpPair(t)
	go io.Copy(io.Discard, b)
	m := Start(newFakeRequester(), WrapConn(a), usual)
	m.Stop()
	return m
}

// A request makes no garbage of ours, the look at the kernel's queue included.
func TestProbeAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m := stillMonitor(t)
	probeOnce(m)
	if n := testing.AllocsPerRun(1000, func() { probeOnce(m) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	now := m.now()
	if n := testing.AllocsPerRun(1000, func() {
		now += usual.Interval
		m.judge.due, m.judge.since = now, now-usual.Interval
		m.answered.Store(int64(now - 1))
		m.check(now) // something came in
	}); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
	one := make([]byte, 1)
	if n := testing.AllocsPerRun(1000, func() { m.watched.Write(one) }); n != 0 {
		t.Errorf("%v allocations a write", n)
	}
}

func BenchmarkProbe(b *testing.B) {
	m := stillMonitor(b)
	b.ReportAllocs()
	for b.Loop() {
		probeOnce(m)
	}
}

// BenchmarkConnRead is what it costs to watch a read.
func BenchmarkConnRead(b *testing.B) {
	c := WrapConn(&zeroConn{})
	buf := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.Read(buf)
	}
}

type zeroConn struct{ linkConn }

func (*zeroConn) Read(p []byte) (int, error) { return len(p), nil }
