package x11fwd

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// newForwarder has a display that is a listener of the test's.
func newForwarder(t *testing.T, o Options) (*Forwarder, net.Listener, chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	warned := make(chan error, 4)
	o.Display = ":1"
	o.Warn = func(err error) {
		if err != ErrNoCookie {
			warned <- err
		}
	}
	o.Dial = func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", ln.Addr().String())
	}
	if !o.Trusted {
		o.XAuth = script(t, "echo x MIT-MAGIC-COOKIE-1 "+someCookie)
	}
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f, ln, warned
}

// openX11 opens a channel as a server does.
func openX11(t *testing.T, sc *ssh.ServerConn) (ssh.Channel, error) {
	t.Helper()
	payload := ssh.Marshal(struct {
		Origin string
		Port   uint32
	}{"127.0.0.1", 4711})
	ch, reqs, err := sc.OpenChannel(ChannelType, payload)
	if err == nil {
		go ssh.DiscardRequests(reqs)
	}
	return ch, err
}

func (f *Forwarder) shown(t *testing.T, order binary.ByteOrder) []byte {
	cookie, err := hex.DecodeString(f.Cookie())
	if err != nil {
		t.Fatal(err)
	}
	return setupPacket(order, f.AuthProtocol(), cookie)
}

// TestForward: the cookie is replaced, everything else passes, both ways, and
// half-closes too.
func TestForward(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f, ln, _ := newForwarder(t, Options{})
		ch, err := openX11(t, serverFor(t, f))
		if err != nil {
			t.Fatal(err)
		}
		x, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		go func() {
			ch.Write(append(f.shown(t, order), bytes.Repeat([]byte("request"), 100000)...))
			ch.CloseWrite()
		}()
		got, err := io.ReadAll(x)
		real, _ := hex.DecodeString(someCookie)
		want := append(setupPacket(order, magicCookie, real), bytes.Repeat([]byte("request"), 100000)...)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
		}
		go func() {
			x.Write(bytes.Repeat([]byte("event"), 100000))
			x.Close()
		}()
		if got, err := io.ReadAll(ch); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("event"), 100000)) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
}

// TestIntruder: a connection that does not show the cookie sees nothing of the
// X server, which gets nothing of it.
func TestIntruder(t *testing.T) {
	f, ln, warned := newForwarder(t, Options{Trusted: true})
	ch, err := openX11(t, serverFor(t, f))
	if err != nil {
		t.Fatal(err)
	}
	x, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	x.Write([]byte("early"))
	ch.Write(setupPacket(binary.LittleEndian, magicCookie, fakeCookie))
	if err := <-warned; err != ErrWrongAuth {
		t.Errorf("warned of %v", err)
	}
	if got, _ := io.ReadAll(x); len(got) > 0 {
		t.Errorf("the X server gets %q", got)
	}
	io.Copy(io.Discard, ch) // ends
}

// TestNoServer: the channel is refused.
func TestNoServer(t *testing.T) {
	f, ln, warned := newForwarder(t, Options{Trusted: true})
	ln.Close()
	_, err := openX11(t, serverFor(t, f))
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		t.Errorf("open: %v", err)
	}
	if err := <-warned; err == nil {
		t.Error("no warning")
	}
}

// TestClose ends what is open, before its first packet and after.
func TestClose(t *testing.T) {
	f, ln, _ := newForwarder(t, Options{Trusted: true})
	sc := serverFor(t, f)
	silent, err := openX11(t, sc)
	if err != nil {
		t.Fatal(err)
	}
	busy, err := openX11(t, sc)
	if err != nil {
		t.Fatal(err)
	}
	busy.Write(f.shown(t, binary.LittleEndian))
	for range 2 {
		x, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
	}
	f.Close()
	for _, ch := range []ssh.Channel{silent, busy} {
		io.Copy(io.Discard, ch)
	}
	if _, err := openX11(t, sc); err == nil {
		t.Error("a channel is let in after Close")
	}
}

// refusedChannel is a channel that only wants to know.
type refusedChannel struct {
	ssh.NewChannel
	reason ssh.RejectionReason
}

func (c *refusedChannel) Reject(r ssh.RejectionReason, _ string) error {
	c.reason = r
	return nil
}

// TestExpiry: untrusted forwarding refuses new connections after its time, and
// the trusted one never.
func TestExpiry(t *testing.T) {
	xauth := script(t, "echo x MIT-MAGIC-COOKIE-1 "+someCookie)
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			trusted bool
			timeout time.Duration
			refuses bool
		}{{false, time.Minute, true}, {true, time.Minute, false}, {false, 0, false}} {
			var warned error
			f, err := New(context.Background(), Options{Display: ":1", Trusted: c.trusted, Timeout: c.timeout, XAuth: xauth,
				Warn: func(err error) { warned = err },
				Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("let in") }})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute - time.Second)
			try := func() (ssh.RejectionReason, error) {
				ch := &refusedChannel{}
				f.ServeChannel(ch)
				f.links.Wait()
				return ch.reason, warned
			}
			if reason, err := try(); reason != ssh.ConnectionFailed || err == ErrExpired {
				t.Errorf("%+v, a second before: %v, %v", c, reason, err)
			}
			time.Sleep(time.Second)
			reason, err := try()
			if refused := reason == ssh.Prohibited && err == ErrExpired; refused != c.refuses {
				t.Errorf("%+v, at its time: %v, %v", c, reason, err)
			}
			f.Close()
		}
	})
}

// TestExtendedData: more extended data than the window holds does not keep the
// requests of a program from the X server.
func TestExtendedData(t *testing.T) {
	f, ln, _ := newForwarder(t, Options{Trusted: true})
	server := serverFor(t, f)
	ch, err := openX11(t, server)
	if err != nil {
		t.Fatal(err)
	}
	x, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	limit := time.AfterFunc(20*time.Second, func() { server.Close() })
	defer limit.Stop()
	if _, err := ch.Stderr().Write(make([]byte, 5<<20)); err != nil {
		t.Fatal(err)
	}
	ch.Write(f.shown(t, binary.LittleEndian))
	ch.CloseWrite()
	if got, err := io.ReadAll(x); err != nil || len(got) == 0 {
		t.Errorf("the X server gets %d bytes, %v", len(got), err)
	}
}
