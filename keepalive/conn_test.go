package keepalive

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestConnCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(1<<20, 0)
		c := WrapConn(l.client)
		made := time.Now()
		if !c.LastHeard().Equal(made) || c.BytesIn() != 0 || c.BytesOut() != 0 {
			t.Errorf("new: %v %d %d", c.LastHeard(), c.BytesIn(), c.BytesOut())
		}
		time.Sleep(time.Second)
		c.Write([]byte("12345"))
		if !c.LastHeard().Equal(made) || c.BytesOut() != 5 {
			t.Errorf("a write is no life: %v %d", c.LastHeard(), c.BytesOut())
		}
		l.server.Write([]byte("123"))
		buf := make([]byte, 2)
		for _, want := range []int{2, 1} {
			time.Sleep(time.Second)
			if n, err := c.Read(buf); n != want || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := c.LastHeard().Sub(made); got != 3*time.Second || c.BytesIn() != 3 {
			t.Errorf("last heard at %v, %d bytes", got, c.BytesIn())
		}
		l.server.Close()
		if _, err := c.Read(buf); err != io.EOF {
			t.Errorf("Read: %v", err)
		}
		c.Close()
	})
}

func TestConnForwards(t *testing.T) {
	a, b := tcpPair(t)
	c := WrapConn(a)
	if c.NetConn() != a || c.LocalAddr() != a.LocalAddr() {
		t.Error("not the connection below")
	}
	// A deadline is the caller's affair, and not the end of the connection.
	c.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	select {
	case <-c.ended:
		t.Error("a deadline ended the connection")
	default:
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after CloseWrite the peer reads %v", err)
	}
	c.Close()

	p, q := net.Pipe()
	defer q.Close()
	c = WrapConn(p)
	defer c.Close()
	if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite of a pipe: %v", err)
	}
}

// tcpPair returns both ends of a TCP connection on the loopback.
func tcpPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	y, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(*net.TCPConn), y.(*net.TCPConn)
}

func TestPacketTimeoutOption(t *testing.T) {
	for _, test := range []struct {
		opts Options
		want time.Duration
	}{
		{Options{}, 0},
		{Options{Interval: time.Second}, 0},
		{Options{Interval: -time.Second, CountMax: 3}, 0},
		{Options{Interval: 15 * time.Second, CountMax: 3}, 45 * time.Second},
		{Options{Interval: math.MaxInt64 / 2, CountMax: 3}, math.MaxInt64},
		{DefaultOptions(), 3 * time.Minute},
	} {
		if got := test.opts.PacketTimeout(); got != test.want {
			t.Errorf("%v × %d = %v, want %v", test.opts.Interval, test.opts.CountMax, got, test.want)
		}
	}
}

// A server that says nothing, or begins and falls silent.
func TestHandshakeTimeout(t *testing.T) {
	for _, lines := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			l := newLink(1<<20, 0)
			c := WrapConn(l.client)
			start := time.Now()
			c.SetPacketTimeout(usual.PacketTimeout())
			go func() {
				for range lines { // RFC 4253 section 4.2 allows them
					time.Sleep(40 * time.Second)
					l.server.Write([]byte("patience\r\n"))
				}
			}()
			_, _, _, err := ssh.NewClientConn(c, "test", clientConfig())
			var lost *PeerLostError
			if !errors.As(err, &lost) || lost.Reason != ReasonHandshake || lost.Silence != 45*time.Second {
				t.Errorf("NewClientConn: %v", err)
			}
			want := time.Duration(lines)*40*time.Second + 45*time.Second
			if got := time.Since(start); got != want {
				t.Errorf("gave up at %v, want %v", got, want)
			}
			l.server.Close()
		})
	}
}

// While a person is asked the handshake may take any time, and after it too.
func TestHandshakePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(1<<20, 0)
		c := WrapConn(l.client)
		c.SetPacketTimeout(45 * time.Second)
		c.SetPacketTimeout(0)
		time.Sleep(time.Hour)
		c.SetPacketTimeout(45 * time.Second)
		time.Sleep(44 * time.Second)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		c.SetPacketTimeout(math.MaxInt64)
		time.Sleep(1000 * time.Hour)
		c.SetPacketTimeout(-1)
		time.Sleep(time.Hour)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		c.Close()
		l.server.Close()
	})
}
