//go:build linux || darwin || freebsd

package mux_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// stallable is a link to a server that can fall silent in both directions.
type stallable struct {
	net.Conn
	mu      sync.Mutex
	stalled bool
	closed  chan struct{}
	once    sync.Once
}

func (c *stallable) wait() {
	c.mu.Lock()
	stalled := c.stalled
	c.mu.Unlock()
	if stalled {
		<-c.closed
	}
}

func (c *stallable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wait()
	return n, err
}

func (c *stallable) Write(p []byte) (int, error) {
	c.wait()
	return c.Conn.Write(p)
}

func (c *stallable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestSilentServer: a master whose server does not answer any more still
// answers its clients, notices when one leaves, and can be closed.
func TestSilentServer(t *testing.T) {
	s := sshtest.NewServer(t, nil)
	link := &stallable{Conn: s.Pipe(), closed: make(chan struct{})}
	srv := listen(t, newConnection(t, link, s.ClientConfig()), mux.ServerOptions{})
	var sessions []*mux.ClientSession
	for range 2 {
		std := newStdio(t)
		session, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat"}, std.fds())
		if err != nil {
			t.Fatal(err)
		}
		std.closeOurs()
		sessions = append(sessions, session)
	}
	proxied, err := mux.Dial(patient(t), srv.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer proxied.Close()
	// A client is told of its session before the program runs.
	eventually(t, "both sessions run", func() bool { return len(srv.Sessions()) == 2 })
	link.mu.Lock()
	link.stalled = true
	link.mu.Unlock()
	if _, err := connect(t, srv.Path()).Alive(patient(t)); err != nil {
		t.Error(err)
	}
	srv.Resize()
	sessions[0].Close()
	eventually(t, "the end of the first session", func() bool { return len(srv.Sessions()) == 1 })
	start := time.Now()
	srv.Close()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
	if status, _ := sessions[1].Wait(); status != 255 {
		t.Errorf("status %d", status)
	}
	link.Close()
}

// TestStoppedProxyClient: one that reads nothing holds up nobody else.
func TestStoppedProxyClient(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	c, err := mux.Dial(patient(t), srv.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range reqs {
		}
	}()
	if ok, err := ch.SendRequest("exec", true, []byte("\x00\x00\x00\x03yes")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	io.ReadFull(ch, make([]byte, 1<<20)) // and then no more
	if got := run(t, srv.Path(), mux.SessionRequest{Command: "echo on"}, ""); got.stdout != "on\n" {
		t.Errorf("%+v", got)
	}
}
