package faultnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gossh-project/gossh/sshtest/faultnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a link in memory: near is behind the faults.
func pair(t *testing.T) (near *faultnet.Conn, far *faultnet.PipeConn) {
	client, server := faultnet.Pipe()
	near = faultnet.Wrap(client)
	t.Cleanup(func() {
		near.Close()
		server.Close()
		// What the end of a closed link waits for may need the clock.
		near.Link.Cut()
	})
	return near, server
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if n, err := io.WriteString(w, s); err != nil || n != len(s) {
		t.Fatalf("write %q: %d, %v", s, n, err)
	}
}

func read(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read: got %d of %d bytes, %v", m, n, err)
	}
	return string(b)
}

func TestPipe(t *testing.T) {
	a, b := faultnet.Pipe()
	write(t, a, "hello")
	a.CloseWrite()
	if got, err := io.ReadAll(iotest.OneByteReader(b)); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	write(t, b, "back") // the other half is open
	b.Close()
	if got := read(t, a, 4); got != "back" {
		t.Errorf("got %q", got)
	}
	if _, err := a.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after the peer's Close: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after our Close: %v", err)
	}
}

func TestPipePeerGone(t *testing.T) {
	a, b := faultnet.Pipe()
	b.Close()
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed peer: %v", err)
	}
	a, b = faultnet.Pipe()
	write(t, a, "lost")
	a.Reset()
	for _, c := range []net.Conn{a, b} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read after Reset: %v", err)
		}
	}
}

func TestDeadlinesAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := pair(t)
		near.Link.Stall(faultnet.Both)
		begin := time.Now()
		near.SetReadDeadline(begin.Add(time.Minute))
		_, err := near.Read(make([]byte, 1))
		var ne net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || time.Since(begin) != time.Minute {
			t.Errorf("read: %v after %v", err, time.Since(begin))
		}
		near.SetWriteDeadline(begin.Add(2 * time.Minute))
		n, err := near.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || time.Since(begin) != 2*time.Minute {
			t.Errorf("write: %d, %v after %v", n, err, time.Since(begin))
		}
		near.SetDeadline(time.Time{})
		errs := make(chan error, 2)
		go func() { _, err := near.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := near.Write(make([]byte, 1<<20)); errs <- err }()
		synctest.Wait()
		near.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("blocked call ended by Close with %v", err)
			}
		}
	})
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.SetLatency(faultnet.Up, 300*time.Millisecond)
		near.Link.SetLatency(faultnet.Down, 200*time.Millisecond)
		begin := time.Now()
		write(t, near, "ping")
		write(t, near, "ping") // under way at the same time
		read(t, far, 8)
		if d := time.Since(begin); d != 300*time.Millisecond {
			t.Errorf("up took %v", d)
		}
		write(t, far, "pong")
		read(t, near, 4)
		if d := time.Since(begin); d != 500*time.Millisecond {
			t.Errorf("round trip took %v", d)
		}
	})
}

func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.SetBandwidth(faultnet.Up, 1000)
		begin := time.Now()
		write(t, near, string(make([]byte, 5000)))
		read(t, far, 5000)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("5000 bytes at 1000 a second took %v", d)
		}
		near.Link.SetBandwidth(faultnet.Up, 0)
		write(t, near, string(make([]byte, 5000)))
		read(t, far, 5000)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("a lifted limit still takes %v", d-5*time.Second)
		}
	})
}

func TestStallAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.Stall(faultnet.Up)
		sent := make(chan bool)
		const size = 1 << 20
		go func() {
			near.Write(make([]byte, size))
			close(sent)
		}()
		go func() {
			time.Sleep(time.Hour)
			near.Link.Resume(faultnet.Up)
		}()
		write(t, far, "the other way is open")
		read(t, near, 21)
		begin := time.Now()
		read(t, far, size)
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("read after %v", d)
		}
		<-sent
		if in, out := near.Link.Bytes(faultnet.Up); in != size || out != size {
			t.Errorf("counted %d sent, %d received", in, out)
		}
	})
}

func TestBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.BlackHole(faultnet.Up)
		write(t, near, string(make([]byte, 1<<20))) // does not block
		synctest.Wait()
		if in, out := near.Link.Bytes(faultnet.Up); in != 1<<20 || out != 0 {
			t.Errorf("counted %d sent, %d received", in, out)
		}
		near.Link.Resume(faultnet.Up)
		write(t, near, "again")
		if got := read(t, far, 5); got != "again" {
			t.Errorf("got %q", got)
		}
	})
}

func TestCorrupt(t *testing.T) {
	near, far := pair(t)
	near.Link.CorruptAt(faultnet.Up, 1)
	near.Link.CorruptAt(faultnet.Up, 6)
	write(t, near, "abcdefgh")
	if got := read(t, far, 8); got != "a\x9dcdef\x98h" {
		t.Errorf("got %q", got)
	}
	var runs [2][]byte
	for i := range runs {
		near, far := pair(t)
		near.Link.CorruptRandomly(faultnet.Up, 0.1, 42)
		write(t, near, string(make([]byte, 1000)))
		runs[i] = []byte(read(t, far, 1000))
	}
	if bad := bytes.Count(runs[0], []byte{0xff}); bad < 50 || bad > 150 || !bytes.Equal(runs[0], runs[1]) {
		t.Errorf("%d of 1000 bytes corrupted; same with the same seed: %v", bad, bytes.Equal(runs[0], runs[1]))
	}
}

func TestChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.SetChunk(faultnet.Up, 3)
		near.Link.SetBandwidth(faultnet.Up, 100) // so that the pieces come apart
		write(t, near, "0123456789")
		var sizes []int
		for total := 0; total < 10; {
			n, err := far.Read(make([]byte, 10))
			if err != nil {
				t.Fatal(err)
			}
			sizes, total = append(sizes, n), total+n
		}
		if len(sizes) != 4 {
			t.Errorf("pieces of %v", sizes)
		}
	})
}

func TestHalfCloseAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.SetLatency(faultnet.Both, time.Second)
		write(t, near, "last words")
		near.CloseWrite()
		if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
			t.Errorf("got %q, %v", got, err)
		}
		write(t, far, "answer")
		far.Close()
		if got, err := io.ReadAll(near); err != nil || string(got) != "answer" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Link.SetLatency(faultnet.Up, time.Minute)
		write(t, near, "bye")
		near.Close()
		if got, err := io.ReadAll(far); err != nil || string(got) != "bye" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCutAndReset(t *testing.T) {
	near, far := pair(t)
	near.Link.Cut()
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read after Cut: %v", err)
		}
	}
	near, far = pair(t)
	near.Link.Reset()
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read after Reset: %v", err)
		}
	}
}

// echo is a TCP server that echoes, until the end of the test.
func echo(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(nc, nc)
				nc.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

func TestProxy(t *testing.T) {
	p, err := faultnet.NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func() net.Conn {
		nc, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		write(t, nc, "hello")
		if got := read(t, nc, 5); got != "hello" {
			t.Fatalf("got %q", got)
		}
		return nc
	}
	nc := dial()
	p.Stall(faultnet.Down)
	write(t, nc, "wait")
	nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read from a stalled link: %v", err)
	}
	nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	p.Resume(faultnet.Down)
	read(t, nc, 4)
	p.Cut()
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after Cut: %v", err)
	}
	nc = dial()
	p.Reset()
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after Reset: %v", err)
	}
	if n := p.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
	nc = dial()
	nc.(*net.TCPConn).CloseWrite()
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after a half close: %v", err)
	}
}

func TestProxyWithoutTarget(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	p, err := faultnet.NewProxy(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	nc, err := net.Dial("tcp", p.Addr())
	if errors.Is(err, syscall.ECONNRESET) {
		return // it was as quick as that
	}
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}
