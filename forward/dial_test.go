package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// dialThrough dials from the server with f.
func dialThrough(t testing.TB, f *Forwarder, network, addr string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := f.DialContext(ctx, network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDial(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	target := serveEcho(t)
	c := dialThrough(t, f, "tcp", target.String())
	roundTrip(t, c)
	if got := c.RemoteAddr(); got.Network() != "tcp" || got.String() != target.String() {
		t.Errorf("remote address %v", got)
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if err := c.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("deadline after Close: %v", err)
	}

	// Names are kept for those who dial RemoteAddr again, as pgx does to cancel.
	named := dialThrough(t, f, "tcp", fmt.Sprintf("localhost:%d", target.Port))
	roundTrip(t, dialThrough(t, f, named.RemoteAddr().Network(), named.RemoteAddr().String()))

	path := filepath.Join(t.TempDir(), "s")
	serve(t, "unix", path, echo)
	roundTrip(t, dialThrough(t, f, "unix", path))
}

func TestDialErrors(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	free := closedPort(t).String()
	ctx := context.Background()
	_, err := f.DialContext(ctx, "tcp", free)
	var refused *OpenError
	var op *net.OpError
	if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("refused: %#v", err)
	}
	for _, c := range [][2]string{{"udp", free}, {"tcp", "nowhere"}, {"tcp", "h:99999"}, {"tcp", "h:"},
		{"tcp4", "[::1]:80"}, {"tcp6", "127.0.0.1:80"}, {"unix", ""}} {
		if _, err := f.DialContext(ctx, c[0], c[1]); !errors.As(err, &op) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestDialGivenUp: ctx ends a dial that the server does not answer, and the
// channel that comes later is closed.
func TestDialGivenUp(t *testing.T) {
	f, s := scripted(t)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := f.DialContext(ctx, "tcp", "h:80")
		got <- err
	}()
	late := s.open(t)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ch, reqs, err := late.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	if _, err := ch.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the late channel: %v", err)
	}
}

// TestConnLost: the end of the SSH connection is no end of the data.
func TestConnLost(t *testing.T) {
	f, s := scripted(t)
	f.lossGrace = patience
	got := make(chan net.Conn, 1)
	go func() { got <- dialThrough(t, f, "tcp", "h:80") }()
	ch := s.accept(t)
	c := <-got
	ch.Write([]byte("half"))
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	s.tcp.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("read: %v", err)
	}
	eventually(t, "writes fail", func() bool {
		_, err := c.Write([]byte("x"))
		return errors.Is(err, ErrConnectionLost)
	})
	if _, err := f.DialContext(context.Background(), "tcp", "h:80"); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("dial: %v", err)
	}
	if _, err := f.Listen(context.Background(), "tcp", ":0"); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("listen: %v", err)
	}
}

// TestPeerClosed: after the server has closed the channel reads end and writes
// fail.
func TestPeerClosed(t *testing.T) {
	f, s := scripted(t)
	got := make(chan net.Conn, 1)
	go func() { got <- dialThrough(t, f, "tcp", "h:80") }()
	ch := s.accept(t)
	c := <-got
	ch.Write([]byte("last"))
	ch.Close()
	if all, err := io.ReadAll(c); string(all) != "last" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

// deadlined calls test in a bubble with a connection through a server, the far
// end of it, and a function that checks that a call has timed out a while after
// the one before.
func deadlined(t *testing.T, test func(t *testing.T, c, far net.Conn, expectTimeout func(what string, n int, err error, after time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		target, far := net.Pipe()
		srv, err := sshtest.Start(&sshtest.Options{NoListen: true,
			Dial: func(context.Context, string, string) (net.Conn, error) { return target, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		f := client(t, srv.Pipe(), srv.ClientConfig())
		c := dialThrough(t, f, "tcp", "h:80")
		begun := time.Now()
		test(t, c, far, func(what string, n int, err error, after time.Duration) {
			t.Helper()
			var ne net.Error
			if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%s: %d, %v", what, n, err)
			}
			if took := time.Since(begun); took != after {
				t.Errorf("%s after %v, want %v", what, took, after)
			}
			begun = time.Now()
		})
	})
}

func TestReadDeadline(t *testing.T) {
	deadlined(t, func(t *testing.T, c, far net.Conn, expectTimeout func(string, int, error, time.Duration)) {
		buf := make([]byte, 10)
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, err := c.Read(buf)
		expectTimeout("read", n, err, 3*time.Second)
		n, err = c.Read(buf)
		expectTimeout("read again", n, err, 0)
		c.SetReadDeadline(time.Time{})
		go far.Write([]byte("later"))
		if n, err := c.Read(buf); string(buf[:n]) != "later" || err != nil {
			t.Fatalf("after the deadline was lifted: %q, %v", buf[:n], err)
		}
	})
}

// TestReadDeadlineInThePast: such a deadline precedes data that is there, and
// loses none.
func TestReadDeadlineInThePast(t *testing.T) {
	deadlined(t, func(t *testing.T, c, far net.Conn, expectTimeout func(string, int, error, time.Duration)) {
		buf := make([]byte, 10)
		go far.Write([]byte("kept"))
		synctest.Wait()
		c.SetReadDeadline(time.Unix(1, 0))
		n, err := c.Read(buf)
		expectTimeout("read in the past", n, err, 0)
		c.SetReadDeadline(time.Time{})
		if n, err := c.Read(buf); string(buf[:n]) != "kept" || err != nil {
			t.Errorf("after the deadline was lifted: %q, %v", buf[:n], err)
		}
	})
}

// TestReadDeadlineMoved: to move the deadline wakes a Read that waits.
func TestReadDeadlineMoved(t *testing.T) {
	deadlined(t, func(t *testing.T, c, far net.Conn, expectTimeout func(string, int, error, time.Duration)) {
		c.SetReadDeadline(time.Now().Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			c.SetReadDeadline(time.Now().Add(time.Second))
		}()
		n, err := c.Read(make([]byte, 10))
		expectTimeout("read with a moved deadline", n, err, 2*time.Second)
	})
}

// TestWriteDeadline: a Write to a far end that reads nothing times out when every
// buffer is full, and can be continued.
func TestWriteDeadline(t *testing.T) {
	deadlined(t, func(t *testing.T, c, far net.Conn, expectTimeout func(string, int, error, time.Duration)) {
		begun := time.Now()
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
		written, err := c.Write(big)
		if written == 0 || written == len(big) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d of %d, %v", written, len(big), err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("write gave up after %v", took)
		}
		n, err := c.Write(big)
		expectTimeout("write again", n, err, time.Minute) // since the beginning
		var received bytes.Buffer
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(&received, far) })
		c.SetWriteDeadline(time.Time{})
		if n, err := c.Write(big[written:]); n != len(big)-written || err != nil {
			t.Errorf("after the deadline was lifted: %d, %v", n, err)
		}
		c.Close()
		wg.Wait()
		if !bytes.Equal(received.Bytes(), big) {
			t.Errorf("%d bytes arrived, not those that were written", received.Len())
		}
	})
}

// TestCloseInterrupts: Close ends a Read that waits.
func TestCloseInterrupts(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	c := dialThrough(t, f, "tcp", serveEcho(t).String())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
		})
	}
	c.Close()
	wg.Wait()
}

// TestLinger: what was written before Close still arrives, but a server that
// does not take it cannot keep the connection for ever.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, far := net.Pipe()
		srv, err := sshtest.Start(&sshtest.Options{NoListen: true,
			Dial: func(context.Context, string, string) (net.Conn, error) { return target, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		f := client(t, srv.Pipe(), srv.ClientConfig())
		c := dialThrough(t, f, "tcp", "h:80").(*channelConn)
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		c.Write(make([]byte, 8<<20)) // more than the window
		begun := time.Now()
		c.Close()
		if took := time.Since(begun); took != 0 {
			t.Errorf("Close took %v", took)
		}
		time.Sleep(linger + time.Second)
		// The in-process server, too, first wants to be rid of what it has.
		io.Copy(io.Discard, far)
		<-c.s.gone
	})
}

func TestHTTPTransport(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	port := webServer(t, "tcp4", "127.0.0.1:0")
	tr := &http.Transport{DialContext: f.DialContext, IdleConnTimeout: time.Minute}
	defer tr.CloseIdleConnections()
	hc := &http.Client{Transport: tr, Timeout: patience}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				resp, err := hc.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
}

func TestListener(t *testing.T) {
	f, srv := connect(t, sshtest.Options{})
	ln, err := f.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if ln.Addr().(*net.TCPAddr).Port == 0 {
		t.Error("no port")
	}
	// An http.Server makes full use of a Listener.
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RemoteAddr)
	})}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ln) }()
	c := dial(t, ln.Addr())
	fmt.Fprintf(c, "GET / HTTP/1.0\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(all, []byte(c.LocalAddr().String())) {
		t.Errorf("%q, %v", all, err)
	}
	web.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
	if n := srv.Conns()[0].Forwards(); n != 0 {
		t.Errorf("the server has %d forwardings after Close", n)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}

// TestBacklog: connections wait unconfirmed, and too many are refused.
func TestBacklog(t *testing.T) {
	f, s := scripted(t)
	got := make(chan net.Listener, 1)
	go func() {
		ln, err := f.Listen(context.Background(), "tcp", ":99")
		if err != nil {
			t.Error(err)
		}
		got <- ln
	}()
	req := s.request(t)
	var p listenPayload
	if err := ssh.Unmarshal(req.Payload, &p); err != nil || p != (listenPayload{"", 99}) {
		t.Errorf("%+v, %v", p, err)
	}
	req.Reply(true, nil)
	ln := <-got
	results := make(chan error, backlog+1)
	for range backlog + 1 {
		go func() {
			ch, reqs, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpPayload{"", 99, "192.0.2.1", 7}))
			if err == nil {
				go ssh.DiscardRequests(reqs)
				ch.Close()
			}
			results <- err
		}()
	}
	var refused *ssh.OpenChannelError
	if err := <-results; !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("the one too many: %v", err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != "192.0.2.1:7" {
		t.Errorf("remote address %s", got)
	}
	c.Close()
	if err := <-results; err != nil {
		t.Errorf("the accepted one: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- ln.Close() }()
	s.request(t).Reply(true, nil)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for range backlog - 1 {
		if err := <-results; !errors.As(err, &refused) || refused.Reason != ssh.Prohibited {
			t.Errorf("one that waited: %v", err)
		}
	}
}

// TestListenerLost: Accept ends with the SSH connection.
func TestListenerLost(t *testing.T) {
	f, srv := connect(t, sshtest.Options{})
	ln, err := f.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Conns()[0].Kill()
	if _, err := ln.Accept(); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Accept: %v", err)
	}
	ln.Close()
}
