package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds a test that hangs; none is meant to come near it.
const limit = 30 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// liveConn is a connection that can say why it ended, as client.Client can.
type liveConn struct {
	ssh.Conn
	done chan struct{}
	err  error
}

func (c *liveConn) Done() <-chan struct{} { return c.done }
func (c *liveConn) Err() error            { return c.err }

// connect gives a connection to srv, which ends with the test.
func connect(t *testing.T, srv *sshtest.Server) *liveConn {
	t.Helper()
	conn, chans, reqs, err := ssh.NewClientConn(srv.Pipe(), "server:22", srv.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := &liveConn{Conn: conn, done: make(chan struct{})}
	go ssh.DiscardRequests(reqs)
	go func() {
		for nch := range chans {
			nch.Reject(ssh.Prohibited, "")
		}
	}()
	go func() {
		err := conn.Wait()
		c.err = errLost{err}
		close(c.done)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-c.done
	})
	return c
}

// errLost is why a liveConn ended.
type errLost struct{ error }

// newServer starts a server that is reached by connect alone.
func newServer(t *testing.T, o sshtest.Options) *sshtest.Server {
	t.Helper()
	o.NoListen = true
	return sshtest.NewServer(t, &o)
}

// newConn is newServer and connect.
func newConn(t *testing.T, o sshtest.Options) (*liveConn, *sshtest.Server) {
	t.Helper()
	srv := newServer(t, o)
	return connect(t, srv), srv
}

// wordless is a server that confirms a channel and a program, then says what
// is in after, and never answers anything else.
func wordless(confirm, start bool, after ...[]byte) sshtest.Options {
	key, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		panic(err)
	}
	return sshtest.Options{HostKeys: []ssh.Signer{key}, Takeover: rawssh.Serve(key, func(ctx context.Context, rc *rawssh.Conn) error {
		if _, err := rc.ReadUntil(rawssh.MsgChannelOpen); err != nil {
			return err
		}
		if confirm {
			rc.Send(rawssh.MsgChannelOpenConfirm, struct{ To, From, Window, Packet uint32 }{0, 0, 64 << 10, 32 << 10})
			for {
				p, err := rc.ReadUntil(rawssh.MsgChannelRequest)
				if err != nil {
					return err
				}
				var r struct {
					To        uint32
					Type      string
					WantReply bool
					Rest      []byte `ssh:"rest"`
				}
				if ssh.Unmarshal(p[1:], &r) == nil && r.WantReply {
					break
				}
			}
		}
		if start {
			rc.Send(rawssh.MsgChannelSuccess, struct{ To uint32 }{0})
		}
		for _, p := range after {
			rc.WritePacket(p)
		}
		for {
			if _, err := rc.ReadPacket(); err != nil {
				return err
			}
		}
	})}
}

// packet is a raw message about channel 0.
func packet(msg byte, fields any) []byte {
	p := []byte{msg, 0, 0, 0, 0}
	if fields != nil {
		p = append(p, ssh.Marshal(fields)...)
	}
	return p
}

// finishes fails the test if f does not return.
func finishes(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatalf("%s does not return", what)
		return nil
	}
}

// lockedBuffer is a buffer for tests that look while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	return len(p), nil
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// keys is a Stdin that blocks until it is cancelled.
type keys struct {
	reading   chan struct{} // closed at the first Read
	once      sync.Once
	cancelled chan struct{}
	cancel    sync.Once
	mu        sync.Mutex
	inRead    bool
}

func newKeys() *keys { return &keys{reading: make(chan struct{}), cancelled: make(chan struct{})} }

var errCancelled = errors.New("cancelled")

func (k *keys) Read([]byte) (int, error) {
	k.set(true)
	defer k.set(false)
	k.once.Do(func() { close(k.reading) })
	<-k.cancelled
	return 0, errCancelled
}

func (k *keys) set(v bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inRead = v
}

func (k *keys) Cancel() { k.cancel.Do(func() { close(k.cancelled) }) }

func (k *keys) busy() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.inRead
}

// failing is a writer that takes n bytes.
type failing struct {
	n   int
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		n := f.n
		f.n = 0
		return n, f.err
	}
	f.n -= len(p)
	return len(p), nil
}

// zeros is input without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// wantErr fails the test if err is not an E, and returns it as one.
func wantErr[E error](t *testing.T, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want %T", err, err, e)
	}
	return e
}

var _ session.Canceler = (*keys)(nil)
