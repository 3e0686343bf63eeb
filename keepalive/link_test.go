package keepalive

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needed skips a test that the machine lacks something for; in CI that is a
// failure.
func needed(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// A lane is one direction of a link: a send buffer, a pump that carries bytes
// at a rate, and a receive buffer. It works on synctest's clock.
type lane struct {
	mu            sync.Mutex
	cond          *sync.Cond
	send, recv    []byte
	size          int // of the send buffer
	rate          int // bytes per second; 0 is at once
	stalled       bool
	closed, ended bool // by the writer; arrived at the reader
	done          chan struct{}
}

func newLane(size, rate int) *lane {
	l := &lane{size: size, rate: rate, done: make(chan struct{})}
	l.cond = sync.NewCond(&l.mu)
	go l.pump()
	return l
}

// pump ends when the lane is closed by its writer and not stalled.
func (l *lane) pump() {
	defer close(l.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.stalled || len(l.send) == 0 && !l.closed {
			l.cond.Wait()
		}
		if len(l.send) == 0 {
			l.ended = true
			l.cond.Broadcast()
			return
		}
		n := min(len(l.send), 1000)
		if l.rate > 0 {
			l.mu.Unlock()
			time.Sleep(time.Duration(n) * time.Second / time.Duration(l.rate))
			l.mu.Lock()
		}
		n = min(n, len(l.send)) // the reader may have closed
		l.recv = append(l.recv, l.send[:n]...)
		l.send = l.send[n:]
		l.cond.Broadcast()
	}
}

// stall stops the pump, as a black hole does, or lets it go on.
func (l *lane) stall(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = on
	l.cond.Broadcast()
}

// fill leaves no room in the send buffer. Stall first.
func (l *lane) fill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send = append(l.send, make([]byte, l.size-len(l.send))...)
}

func (l *lane) write(p []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(p) > 0 {
		for len(l.send) >= l.size && !l.closed {
			l.cond.Wait()
		}
		if l.closed {
			return n, net.ErrClosed
		}
		k := min(len(p), l.size-len(l.send))
		l.send = append(l.send, p[:k]...)
		p, n = p[k:], n+k
		l.cond.Broadcast()
	}
	return n, nil
}

func (l *lane) read(p []byte, c *linkConn) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.recv) == 0 && !l.ended && !c.closed {
		l.cond.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(l.recv) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.recv)
	l.recv = l.recv[n:]
	return n, nil
}

// A linkConn is one end of a link.
type linkConn struct {
	in, out *lane
	closed  bool // guarded by in.mu
}

type linkAddr struct{}

func (linkAddr) Network() string { return "test" }
func (linkAddr) String() string  { return "test" }

func (c *linkConn) Read(p []byte) (int, error)  { return c.in.read(p, c) }
func (c *linkConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *linkConn) LocalAddr() net.Addr         { return linkAddr{} }
func (c *linkConn) RemoteAddr() net.Addr        { return linkAddr{} }

func (c *linkConn) CloseWrite() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.closed = true
	c.out.cond.Broadcast()
	return nil
}

func (c *linkConn) Close() error {
	c.CloseWrite()
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.closed = true
	c.in.closed, c.in.send = true, nil // nobody will read it
	c.in.cond.Broadcast()
	return nil
}

var errNoDeadline = errors.New("no deadlines here, as with a channel")

func (c *linkConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *linkConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *linkConn) SetWriteDeadline(time.Time) error { return errNoDeadline }

// A link joins a client and a server. up carries what the client sends.
type link struct {
	up, down       *lane
	client, server *linkConn
}

func newLink(size, rate int) *link {
	up, down := newLane(size, rate), newLane(size, rate)
	return &link{
		up: up, down: down,
		client: &linkConn{in: down, out: up},
		server: &linkConn{in: up, out: down},
	}
}

// stall makes a black hole of the link, or a link again.
func (l *link) stall(on bool) {
	l.up.stall(on)
	l.down.stall(on)
}

// close ends a link and waits for its pumps.
func (l *link) close() {
	l.stall(false)
	l.client.Close()
	l.server.Close()
	<-l.up.done
	<-l.down.done
}

// A pair is an SSH client and its server on a link, of x/crypto both.
type pair struct {
	*link
	watched *Conn
	client  ssh.Conn
	server  ssh.Conn
	chans   <-chan ssh.NewChannel // at the server
}

// newPair makes one. The server gives each global request to answer, which may
// leave it without an answer.
func newPair(t *testing.T, l *link, answer func(*ssh.Request)) *pair {
	t.Helper()
	p := &pair{link: l, watched: WrapConn(l.client)}
	ready := make(chan error, 1)
	go func() {
		conn, chans, reqs, err := ssh.NewServerConn(l.server, serverConfig(t))
		p.server, p.chans = conn, chans
		ready <- err
		if err == nil {
			for req := range reqs {
				answer(req)
			}
		}
	}()
	conn, chans, reqs, err := ssh.NewClientConn(p.watched, "test", clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for c := range chans {
			c.Reject(ssh.Prohibited, "no")
		}
	}()
	p.client = conn
	t.Cleanup(p.close)
	return p
}

func (p *pair) close() {
	p.watched.Close()
	p.link.close()
	p.client.Wait()
	p.server.Wait()
}

func serverConfig(t *testing.T) *ssh.ServerConfig {
	t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(testHostKey))
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	return config
}

func clientConfig() *ssh.ClientConfig {
	return &ssh.ClientConfig{User: "u", HostKeyCallback: ssh.InsecureIgnoreHostKey()}
}

func success(r *ssh.Request) { r.Reply(true, nil) }
func failure(r *ssh.Request) { r.Reply(false, nil) }
func ignore(*ssh.Request)    {}

// testHostKey is a key that protects nothing.
const testHostKey = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACBK/zNKdVG5RScBbnm7ZFjFUlRLIp+2SI4kHN35/NK8bwAAAIiWIyX+liMl
/gAAAAtzc2gtZWQyNTUxOQAAACBK/zNKdVG5RScBbnm7ZFjFUlRLIp+2SI4kHN35/NK8bw
AAAEDiChpifyz0FFqLILTNcnkw2oPNmYeGhSVim14ckPpzaUr/M0p1UblFJwFuebtkWMVS
VEsin7ZIjiQc3fn80rxvAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`
