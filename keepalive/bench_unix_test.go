//go:build unix

package keepalive

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle runs 1,000 monitors, each of which asks once a second, and
// says what one costs: memory, and CPU per request with its tick.
func BenchmarkIdle(b *testing.B) {
	const conns = 1000
	for b.Loop() {
		var before, started, after runtime.MemStats
		fakes := make([]*fakeRequester, conns)
		watched := make([]*Conn, conns)
		monitors := make([]*Monitor, conns)
		for i := range conns {
			fakes[i] = newFakeRequester()
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range conns {
			watched[i] = WrapConn(&linkConn{})
			monitors[i] = Start(fakes[i], watched[i], Options{Interval: time.Second, CountMax: 3})
		}
		runtime.ReadMemStats(&started)
		cpu := cpuTime()
		time.Sleep(5500 * time.Millisecond)
		cpu = cpuTime() - cpu
		runtime.GC()
		runtime.ReadMemStats(&after)
		var probes uint64
		for _, m := range monitors {
			probes += m.Stats().ProbesSent
			m.Stop()
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/conns, "heap-B/conn")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/conns, "stack-B/conn")
		b.ReportMetric(float64(after.Mallocs-started.Mallocs)/float64(probes), "allocs/probe")
		b.ReportMetric(float64(cpu.Nanoseconds())/float64(probes), "cpu-ns/probe")
	}
}
