package forward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// TestBytes sends a lot both ways at once and compares digests.
func TestBytes(t *testing.T) {
	size := int64(200 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	up, down := newNoise(size), newNoise(size)
	received := make(chan string, 1)
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		var wg sync.WaitGroup
		wg.Go(func() {
			io.Copy(c, down)
			c.(*net.TCPConn).CloseWrite()
		})
		sum := sha256.New()
		io.Copy(sum, c)
		received <- fmt.Sprintf("%x", sum.Sum(nil))
		wg.Wait()
	})
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, toAddr(t, target))
	c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(c, up)
		c.CloseWrite()
	})
	sum := sha256.New()
	n, err := io.Copy(sum, c)
	wg.Wait()
	if err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != down.digest() {
		t.Error("bytes from the server differ")
	}
	if got := <-received; got != up.digest() {
		t.Error("bytes to the server differ")
	}
	eventually(t, "the connection ends", noConns(fwd))
}

func TestHalfCloseByClient(t *testing.T) {
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		all, _ := io.ReadAll(c) // returns only if the client's FIN arrives
		fmt.Fprintf(c, "%d bytes", len(all))
	})
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, toAddr(t, target))
	c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	c.Write(make([]byte, 100_000))
	c.CloseWrite()
	got, err := io.ReadAll(c)
	if string(got) != "100000 bytes" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHalfCloseByTarget(t *testing.T) {
	heard := make(chan string, 1)
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		c.Write([]byte("hello"))
		c.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(c)
		heard <- string(all)
	})
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, toAddr(t, target))
	c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	c.Write([]byte("goodbye")) // the other direction is still open
	c.Close()
	if got := <-heard; got != "goodbye" {
		t.Errorf("the target heard %q", got)
	}
}

// TestClientReset: a local RST closes the channel, and with it the target.
func TestClientReset(t *testing.T) {
	ended := make(chan error, 1)
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		c.Write([]byte("x"))
		_, err := io.Copy(io.Discard, c)
		ended <- err
	})
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, toAddr(t, target))
	c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	io.ReadFull(c, make([]byte, 1))
	c.SetLinger(0)
	c.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the target's connection hangs")
	}
	eventually(t, "the connection ends", noConns(fwd))
}

// TestClientGone: a target that only sends ends when nobody takes it.
func TestClientGone(t *testing.T) {
	ended := make(chan error, 1)
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		_, err := io.Copy(c, newNoise(1<<40))
		ended <- err
	})
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, toAddr(t, target))
	c := dial(t, fwd.Addrs()[0])
	io.ReadFull(c, make([]byte, 1000))
	c.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the target sends for ever")
	}
	eventually(t, "the connection ends", noConns(fwd))
}

// TestCloseWithoutEOF: servers that end a channel by closing it alone lose no
// data and cause no reset.
func TestCloseWithoutEOF(t *testing.T) {
	f, s := scripted(t)
	fwd := local(t, f, tcp("target", 80))
	c := dial(t, fwd.Addrs()[0])
	ch := s.accept(t)
	want := bytes.Repeat([]byte("data"), 50_000)
	ch.Write(want)
	ch.Close()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	eventually(t, "the connection ends", noConns(fwd))
}

// TestConnectionLost: a local peer must not take half a stream for a whole one.
func TestConnectionLost(t *testing.T) {
	f, s := scripted(t)
	f.lossGrace = patience // a busy machine must not decide
	fwd := local(t, f, tcp("target", 80))
	c := dial(t, fwd.Addrs()[0])
	ch := s.accept(t)
	ch.Write([]byte("half"))
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	s.tcp.Close()
	if n, err := c.Read(got); !isReset(err) {
		t.Errorf("read %d, %v; want a reset", n, err)
	}
	<-fwd.Done()
	if err := fwd.Err(); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Err is %v", err)
	}
	if _, err := net.Dial("tcp", fwd.Addrs()[0].String()); err == nil {
		t.Error("it still listens")
	}
	eventually(t, "the forwarding is off the list", func() bool { return len(f.Forwards()) == 0 })
	if _, err := f.Open(context.Background(), fwd.Spec(), Options{}); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Open after the end: %v", err)
	}
}

// TestConnectionLostFirst: a channel's end behind that of the transport is no
// end of the data, even if the channel is not seen to close with it.
func TestConnectionLostFirst(t *testing.T) {
	f, s := scripted(t)
	ended := make(chan struct{})
	close(ended)
	f.transportEnded = ended
	fwd := local(t, f, tcp("target", 80))
	c := dial(t, fwd.Addrs()[0])
	ch := s.accept(t)
	ch.CloseWrite()
	got := make([]byte, 4)
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v before the connection's end", n, err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	s.tcp.Close()
	if n, err := c.Read(got); !isReset(err) {
		t.Errorf("read %d, %v; want a reset", n, err)
	}
}

// TestSlowReader: one client that reads nothing holds up nobody else.
func TestSlowReader(t *testing.T) {
	flood := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(c, newNoise(1<<40)) })
	f, _ := connect(t, sshtest.Options{})
	lazy := local(t, f, toAddr(t, flood))
	quick := local(t, f, serveEcho(t))
	stuck := dial(t, lazy.Addrs()[0])
	var last int64
	eventually(t, "the flood has stopped", func() bool {
		time.Sleep(20 * time.Millisecond)
		now := int64(0)
		if conns := lazy.Snapshot().Conns; len(conns) == 1 {
			now = conns[0].In
		}
		still := now > 0 && now == last
		last = now
		return still
	})
	roundTrip(t, dial(t, quick.Addrs()[0]))
	stuck.Close()
	eventually(t, "the stuck connection ends", noConns(lazy))
}

// TestSlowOpen: connections whose target does not answer hold up no others, and
// what their clients send early is not lost.
func TestSlowOpen(t *testing.T) {
	f, s := scripted(t)
	fwd := local(t, f, tcp("target", 80))
	slow := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
	slowOpen := s.open(t)
	slow.Write([]byte("early"))
	slow.CloseWrite()

	quick := dial(t, fwd.Addrs()[0])
	ch := s.accept(t)
	go ch.Write([]byte("quick"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(quick, got); err != nil || string(got) != "quick" {
		t.Fatalf("%q, %v", got, err)
	}

	late, reqs, err := slowOpen.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	all, err := io.ReadAll(late)
	if string(all) != "early" || err != nil {
		t.Errorf("the server got %q, %v", all, err)
	}
	late.Close()
	ch.Close()
	eventually(t, "the connections end", noConns(fwd))
}

// TestOpenLimit: the server is not asked for more than maxOpening at once.
func TestOpenLimit(t *testing.T) {
	f, s := scripted(t)
	fwd := local(t, f, tcp("target", 80))
	for range maxOpening + 10 {
		dial(t, fwd.Addrs()[0])
	}
	var held []ssh.NewChannel
	for range maxOpening {
		held = append(held, s.open(t))
	}
	eventually(t, "all are accepted", func() bool { return fwd.Snapshot().Accepted == maxOpening+10 })
	select {
	case <-s.opens:
		t.Error("one too many")
	default:
	}
	for _, ch := range held[:10] {
		ch.Reject(ssh.ConnectionFailed, "no")
	}
	for range 10 {
		held = append(held, s.open(t))
	}
	for _, ch := range held[10:] {
		ch.Reject(ssh.ConnectionFailed, "no")
	}
	eventually(t, "the connections end", noConns(fwd))
	if s := fwd.Snapshot(); s.Failed != s.Accepted {
		t.Errorf("%d of %d failed", s.Failed, s.Accepted)
	}
}

// TestStopAndClose: Stop leaves connections alone, Close resets them.
func TestStopAndClose(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, serveEcho(t))
	c := dial(t, fwd.Addrs()[0])
	roundTrip(t, c)
	if err := fwd.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := fwd.Err(); err != ErrClosed {
		t.Errorf("Err is %v", err)
	}
	if _, err := net.Dial("tcp", fwd.Addrs()[0].String()); err == nil {
		t.Error("it still listens")
	}
	roundTrip(t, c)
	if n := len(f.Forwards()); n != 1 {
		t.Errorf("%d forwardings while a connection lives", n)
	}
	eventually(t, "all bytes are counted", func() bool {
		s := fwd.Snapshot()
		return s.Stopped && len(s.Conns) == 1 && s.Conns[0].Out == 200 && s.Conns[0].In == 200
	})
	if err := fwd.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("read %v; want a reset", err)
	}
	if n := len(f.Forwards()); n != 0 {
		t.Errorf("%d forwardings after Close", n)
	}
	if err := fwd.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestCloseWhileOpening: Close does not wait for a target that never answers,
// and a channel that comes later is closed.
func TestCloseWhileOpening(t *testing.T) {
	f, s := scripted(t)
	fwd := local(t, f, tcp("target", 80))
	c := dial(t, fwd.Addrs()[0])
	late := s.open(t)
	if err := fwd.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("read %v; want a reset", err)
	}
	ch, reqs, err := late.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	if n, err := ch.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the late channel reads %d, %v", n, err)
	}
}

// TestManyAtOnce has 500 connections open at the same time.
func TestManyAtOnce(t *testing.T) {
	const many = 500
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, serveEcho(t))
	conns := make([]net.Conn, many)
	for i := range conns {
		conns[i] = dial(t, fwd.Addrs()[0])
	}
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { roundTrip(t, c) })
	}
	wg.Wait()
	if n := len(fwd.Snapshot().Conns); n != many {
		t.Errorf("%d connections", n)
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "the connections end", noConns(fwd))
}

// TestNothingLeft runs 2,000 connections and counts descriptors and goroutines.
func TestNothingLeft(t *testing.T) {
	many := 2000
	if testing.Short() {
		many = 200
	}
	f, _ := connect(t, sshtest.Options{})
	fwd := local(t, f, serveEcho(t))
	once := func() {
		c := dial(t, fwd.Addrs()[0]).(*net.TCPConn)
		roundTrip(t, c)
		c.CloseWrite()
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	once()
	eventually(t, "the connection ends", noConns(fwd))
	files, routines := openFiles(), runtime.NumGoroutine()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range many / 20 {
				once()
			}
		})
	}
	wg.Wait()
	eventually(t, "the connections end", noConns(fwd))
	eventually(t, "descriptors are as before", func() bool { return openFiles() <= files })
	eventually(t, "goroutines are as before", func() bool { return runtime.NumGoroutine() <= routines })
	if s := fwd.Snapshot(); s.Accepted != uint64(many/20*20+1) || s.Failed != 0 {
		t.Errorf("%d accepted, %d failed", s.Accepted, s.Failed)
	}
}

// openFiles counts descriptors, where there is a way to.
func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}
