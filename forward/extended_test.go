package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"
)

// remoteChannel opens a channel for a Remote on port from the server's side.
func (s *script) remoteChannel(t testing.TB, port int) (ssh.Channel, error) {
	t.Helper()
	ch, reqs, err := s.conn.OpenChannel(typeForwardedTCP,
		ssh.Marshal(&tcpPayload{"localhost", uint32(port), "127.0.0.1", 4711}))
	if err == nil {
		s.wait.Go(func() { ssh.DiscardRequests(reqs) })
	}
	return ch, err
}

// openScripted opens a Remote to target and answers for the server.
func (s *script) openScripted(t testing.TB, f *Forwarder, listen int, target Addr) *Forward {
	t.Helper()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if r := <-s.reqs; r != nil {
			r.Reply(true, nil)
		}
	}()
	fwd := open(t, f, Spec{Remote, port(listen), target}, Options{})
	<-answered
	return fwd
}

// flood writes more extended data than the window of a channel holds, and then
// checks that data still passes in both directions.
func flood(t *testing.T, server ssh.Channel, client io.ReadWriter) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := server.Stderr().Write(make([]byte, 5<<20))
		if err == nil {
			_, err = server.Write([]byte("down"))
		}
		done <- err
	}()
	got := make([]byte, 4)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "down" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("up")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, got[:2]); err != nil || string(got[:2]) != "up" {
		t.Fatalf("%q, %v", got[:2], err)
	}
}

// TestExtendedDataDialed: extended data does not stall a channel that this side
// has opened.
func TestExtendedDataDialed(t *testing.T) {
	f, s := scripted(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conns := make(chan net.Conn, 1)
	go func() {
		c, _ := f.DialContext(ctx, "tcp", "h:1")
		conns <- c
	}()
	server := s.accept(t)
	c := <-conns
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { s.tcp.Close() })
	defer stop()
	flood(t, server, c)
}

// TestExtendedDataRemote is the same for a channel that the server has opened.
func TestExtendedDataRemote(t *testing.T) {
	f, s := scripted(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.tcp.Close() })
	defer stop()
	conns := make(chan net.Conn, 1)
	ended := make(chan struct{})
	target := toAddr(t, serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { conns <- c; <-ended }))
	defer close(ended)
	s.openScripted(t, f, 99, target)
	server, err := s.remoteChannel(t, 99)
	if err != nil {
		t.Fatal(err)
	}
	flood(t, server, <-conns)
}

// TestExtendedDataMemory: extended data on many channels takes up no memory.
func TestExtendedDataMemory(t *testing.T) {
	const channels, each = 40, 1 << 20
	target := serveEcho(t) // ends after the connection
	f, s := scripted(t)
	s.openScripted(t, f, 99, target)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	junk := bytes.Repeat([]byte("x"), each)
	for range channels {
		ch, err := s.remoteChannel(t, 99)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Stderr().Write(junk); err != nil {
			t.Fatal(err)
		}
		// The echo comes when everything before it has been received.
		if _, err := ch.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(ch, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > channels*each/4 {
		t.Errorf("%d MiB for %d channels", grown>>20, channels)
	}
}

// TestManyIncoming: a thousand connections at a time pass, and what a server
// opens beyond maxIncoming is refused until one of them has ended.
func TestManyIncoming(t *testing.T) {
	target := serveEcho(t) // ends after the connection
	f, s := scripted(t)
	s.openScripted(t, f, 99, target)
	for range 1000 {
		ch, err := s.remoteChannel(t, 99)
		if err != nil {
			t.Fatal(err)
		}
		ch.Write([]byte{1})
		if _, err := io.ReadFull(ch, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	open := f.incoming
	f.incoming = maxIncoming - 1
	f.mu.Unlock()
	if open != 1000 {
		t.Errorf("%d channels counted", open)
	}
	last, err := s.remoteChannel(t, 99)
	if err != nil {
		t.Fatal(err)
	}
	var refused *ssh.OpenChannelError
	if _, err := s.remoteChannel(t, 99); !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("one too many: %v", err)
	}
	if _, err := s.remoteChannel(t, 98); !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("one too many for no forwarding: %v", err)
	}
	last.CloseWrite()
	io.Copy(io.Discard, last) // the server closes after this
	last.Close()
	eventually(t, "a place is free", func() bool {
		_, err := s.remoteChannel(t, 99)
		return err == nil
	})
}

// TestIncomingCounted: every way in which a channel ends frees its place.
func TestIncomingCounted(t *testing.T) {
	f, s := scripted(t)
	target := toAddr(t, closedPort(t))
	s.openScripted(t, f, 99, target)
	for _, port := range []int{98, 99} { // one without a forwarding, one whose target refuses connections
		if _, err := s.remoteChannel(t, port); err == nil {
			t.Fatal("opened")
		}
	}
	if _, _, err := s.conn.OpenChannel(typeForwardedTCP, []byte("short")); err == nil {
		t.Fatal("opened")
	}
	eventually(t, "no channel is counted", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.incoming == 0
	})
}
