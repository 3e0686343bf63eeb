package forward

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// client makes a Forwarder over nc, as package client does: global requests are
// refused and forwarded channels handed in. It ends with the test.
func client(t testing.TB, nc net.Conn, cfg *ssh.ClientConfig) *Forwarder {
	t.Helper()
	conn, chans, reqs, err := ssh.NewClientConn(nc, "server", cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := New(conn, nil)
	var loops sync.WaitGroup
	loops.Go(func() { ssh.DiscardRequests(reqs) })
	loops.Go(func() {
		for ch := range chans {
			f.ServeChannel(ch)
		}
	})
	t.Cleanup(func() {
		conn.Close()
		f.Close()
		loops.Wait()
	})
	return f
}

// connect starts an in-process server and a Forwarder on it.
func connect(t testing.TB, opts sshtest.Options) (*Forwarder, *sshtest.Server) {
	t.Helper()
	srv := sshtest.NewServer(t, &opts)
	nc, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return client(t, nc, srv.ClientConfig()), srv
}

// connectOpenSSH starts `sshd -i` and a Forwarder on it.
func connectOpenSSH(t testing.TB, extra string) *Forwarder {
	t.Helper()
	srv := opensshd.Prepare(t, &opensshd.Options{Extra: extra})
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(srv.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return client(t, nc, &ssh.ClientConfig{
		User:            srv.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(srv.HostKeys[0]),
	})
}

// script is a server of which the test writes every answer.
type script struct {
	conn  *ssh.ServerConn
	tcp   net.Conn            // of the server
	opens chan ssh.NewChannel // what the client wants to open
	reqs  <-chan *ssh.Request // global requests
	wait  sync.WaitGroup
}

// scripted returns a Forwarder and the server behind it.
func scripted(t testing.TB) (*Forwarder, *script) {
	t.Helper()
	near, far := tcpPair(t)
	cfg := &ssh.ServerConfig{NoClientAuth: true}
	key, err := sshtest.NewKey("ssh-ed25519")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.AddHostKey(signer)
	s := &script{tcp: far, opens: make(chan ssh.NewChannel, 4096)}
	ready := make(chan error, 1)
	s.wait.Go(func() {
		conn, chans, reqs, err := ssh.NewServerConn(far, cfg)
		s.conn, s.reqs = conn, reqs
		ready <- err
		if err == nil {
			for ch := range chans {
				s.opens <- ch
			}
		}
		close(s.opens)
	})
	f := client(t, near, &ssh.ClientConfig{User: "u", HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.tcp.Close()
		s.wait.Wait()
		for range s.reqs {
		}
	})
	return f, s
}

// open returns the next channel that the client wants.
func (s *script) open(t testing.TB) ssh.NewChannel {
	t.Helper()
	select {
	case ch := <-s.opens:
		if ch == nil {
			t.Fatal("the connection ended")
		}
		return ch
	case <-time.After(patience):
		t.Fatal("the client opens no channel")
	}
	return nil
}

// accept takes the next channel. Its requests are discarded.
func (s *script) accept(t testing.TB) ssh.Channel {
	t.Helper()
	ch, reqs, err := s.open(t).Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.wait.Go(func() { ssh.DiscardRequests(reqs) })
	return ch
}

// request returns the next global request.
func (s *script) request(t testing.TB) *ssh.Request {
	t.Helper()
	select {
	case r := <-s.reqs:
		if r == nil {
			t.Fatal("the connection ended")
		}
		return r
	case <-time.After(patience):
		t.Fatal("the client sends no request")
	}
	return nil
}

// tcpPair returns both ends of a loopback connection.
func tcpPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ac, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	bc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ac.Close(); bc.Close() })
	return ac.(*net.TCPConn), bc.(*net.TCPConn)
}

// serve runs handle for each connection to a new listener, whose address it
// returns. Connections are closed after handle.
func serve(t testing.TB, network, addr string, handle func(net.Conn)) net.Addr {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr()
}

// closedPort is where nobody listens, nor can: a connection has the port.
func closedPort(t testing.TB) net.Addr {
	t.Helper()
	return dial(t, serve(t, "tcp", "127.0.0.1:0", echo)).LocalAddr()
}

// echo sends everything back and closes when the client has finished.
func echo(c net.Conn) { io.Copy(c, c) }

func serveEcho(t testing.TB) Addr {
	t.Helper()
	return toAddr(t, serve(t, "tcp", "127.0.0.1:0", echo))
}

func toAddr(t testing.TB, a net.Addr) Addr {
	t.Helper()
	if u, ok := a.(*net.UnixAddr); ok {
		return Addr{Socket: u.Name}
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Addr{Host: host, Port: n}
}

// open opens a forwarding and fails the test if that fails.
func open(t testing.TB, f *Forwarder, spec Spec, opts Options) *Forward {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	fwd, err := f.Open(ctx, spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	return fwd
}

// local opens a -L on a free port of 127.0.0.1.
func local(t testing.TB, f *Forwarder, to Addr) *Forward {
	t.Helper()
	return open(t, f, Spec{Local, Addr{Host: "127.0.0.1"}, to}, Options{})
}

// dial connects to a's first address, with a limit on everything.
func dial(t testing.TB, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(a.Network(), a.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// roundTrip sends a few bytes and expects them back.
func roundTrip(t testing.TB, c io.ReadWriter) {
	t.Helper()
	want := make([]byte, 100)
	rand.Read(want)
	if _, err := c.Write(want); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Fatal("the echo is not what was sent")
	}
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func noConns(f *Forward) func() bool {
	return func() bool { return len(f.Snapshot().Conns) == 0 }
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// noise is a stream of n bytes that are not the same twice, and its digest.
type noise struct {
	left  int64
	block [1 << 16]byte
	at    int
	sum   interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newNoise(n int64) *noise {
	s := &noise{left: n, sum: sha256.New()}
	rand.Read(s.block[:])
	return s
}

func (s *noise) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.block[s.at:])
	n = int(min(int64(n), s.left))
	if s.at += n; s.at == len(s.block) {
		s.at = 0
		s.block[int(s.left)%len(s.block)]++
	}
	s.left -= int64(n)
	s.sum.Write(p[:n])
	return n, nil
}

func (s *noise) digest() string { return fmt.Sprintf("%x", s.sum.Sum(nil)) }
