package forward

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// pipeListener is a listener without a network, for the fake clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 99} }

// connect returns the far end of a new connection.
func (l *pipeListener) connect(t *testing.T) net.Conn {
	near, far := faultnet.Pipe()
	l.conns <- near
	t.Cleanup(func() { far.Close() })
	return far
}

// fakeServer is an in-process server on a fake clock, on whose port 99 ln
// listens, and a link to it that can be stalled.
func fakeServer(t *testing.T) (f *Forwarder, ln *pipeListener, link *faultnet.Link) {
	t.Helper()
	ln = newPipeListener()
	srv, err := sshtest.Start(&sshtest.Options{NoListen: true,
		ListenForward: func(string, string) (net.Listener, error) { return ln, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	nc := faultnet.Wrap(srv.Pipe())
	t.Cleanup(nc.Link.Cut)
	return client(t, nc, srv.ClientConfig()), ln, nc.Link
}

// TestUnresponsiveServer: Close has a limit, and the local side ends at once.
func TestUnresponsiveServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ln, link := fakeServer(t)
		near, far := net.Pipe()
		defer far.Close()
		fwd := open(t, f, Spec{Remote, port(99), tcp("h", 1)}, Options{
			Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }})
		c := ln.connect(t)
		go echo(far)
		roundTrip(t, c)

		link.Stall(faultnet.Up)
		link.Stall(faultnet.Down)
		begun := time.Now()
		closed := make(chan error, 1)
		go func() { closed <- fwd.Close() }()
		synctest.Wait()
		if _, err := far.Read(make([]byte, 1)); err != io.EOF || time.Since(begun) != 0 {
			t.Errorf("the target ends with %v after %v", err, time.Since(begun))
		}
		if err := <-closed; err != ErrUnresponsive || time.Since(begun) != unresponsive {
			t.Errorf("Close: %v after %v", err, time.Since(begun))
		}
	})
}

// TestStopUnresponsiveServer: so has Stop.
func TestStopUnresponsiveServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, link := fakeServer(t)
		fwd := open(t, f, Spec{Remote, port(99), tcp("h", 1)}, Options{})
		link.Stall(faultnet.Up)
		begun := time.Now()
		if err := fwd.Stop(); err != ErrUnresponsive || time.Since(begun) != unresponsive {
			t.Errorf("Stop: %v after %v", err, time.Since(begun))
		}
	})
}

// TestRemoteSOCKSTimeLimit: who says nothing is cut off.
func TestRemoteSOCKSTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ln, _ := fakeServer(t)
		fwd := open(t, f, Spec{Kind: Remote, Listen: port(99)}, Options{})
		c := ln.connect(t)
		begun := time.Now()
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || time.Since(begun) != handshakeTime {
			t.Errorf("%d, %v after %v", n, err, time.Since(begun))
		}
		time.Sleep(time.Second)
		if s := fwd.Snapshot(); len(s.Conns) != 0 || s.Failed != 1 {
			t.Errorf("%+v", s)
		}
	})
}
