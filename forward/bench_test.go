package forward

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
)

// The figures of these contain the in-process server's half of the work.

// benchmarkThroughput measures b.N pieces of 1 MiB through dial.
func benchmarkThroughput(b *testing.B, dial func(f *Forwarder, to Addr) net.Conn) {
	const piece = 1 << 20
	received := make(chan int64, 1)
	target := serve(b, "tcp", "127.0.0.1:0", func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		received <- n
	})
	f, _ := connect(b, sshtest.Options{})
	c := dial(f, toAddr(b, target))
	block := make([]byte, piece)
	b.SetBytes(piece)
	for b.Loop() {
		if _, err := c.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	<-received
}

func BenchmarkLocalThroughput(b *testing.B) {
	benchmarkThroughput(b, func(f *Forwarder, to Addr) net.Conn {
		c, err := net.Dial("tcp", local(b, f, to).Addrs()[0].String())
		if err != nil {
			b.Fatal(err)
		}
		return c
	})
}

func BenchmarkDialThroughput(b *testing.B) {
	benchmarkThroughput(b, func(f *Forwarder, to Addr) net.Conn {
		c, err := f.DialContext(context.Background(), "tcp", to.String())
		if err != nil {
			b.Fatal(err)
		}
		return c
	})
}

// oneConnection connects, sends and receives a few bytes, and closes.
func oneConnection(b *testing.B, addr net.Addr) {
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	roundTrip(b, c)
}

func BenchmarkConnections(b *testing.B) {
	f, _ := connect(b, sshtest.Options{})
	fwd := local(b, f, serveEcho(b))
	for b.Loop() {
		oneConnection(b, fwd.Addrs()[0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
	eventually(b, "the connections end", noConns(fwd))
}

func BenchmarkConnections50AtOnce(b *testing.B) {
	f, _ := connect(b, sshtest.Options{})
	fwd := local(b, f, serveEcho(b))
	work := make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range work {
				oneConnection(b, fwd.Addrs()[0])
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
	eventually(b, "the connections end", noConns(fwd))
}
