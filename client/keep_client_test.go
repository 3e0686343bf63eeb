package client

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// connectionLike is what programs use of a Client, and of a Kept in its place.
type connectionLike interface {
	Command(ctx context.Context, line string) *session.Cmd
	Subsystem(ctx context.Context, name string) *session.Cmd
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	Listen(ctx context.Context, network, addr string) (net.Listener, error)
	Hint()
	Done() <-chan struct{}
	Err() error
	Wait() error
	Close() error
}

var _, _ connectionLike = (*Client)(nil), (*Kept)(nil)

// outageSetup is a Kept whose network can be taken away.
type outageSetup struct {
	*setup
	proxy *faultnet.Proxy
	k     *Kept

	mu   sync.Mutex
	gate chan struct{} // closed when dialing is possible
}

func newOutageSetup(t *testing.T, change func(*KeepOptions)) *outageSetup {
	t.Helper()
	s, p := keepSetup(t, sshtest.Options{})
	o := &outageSetup{setup: s, proxy: p, gate: make(chan struct{})}
	close(o.gate)
	dial := s.opts.NetDial
	s.opts.NetDial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		o.mu.Lock()
		gate := o.gate
		o.mu.Unlock()
		select {
		case <-gate:
			return dial(ctx, network, addr)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	options := quickly(s.opts)
	if change != nil {
		change(&options)
	}
	o.k = startKeep(t, options)
	return o
}

// lose ends the connection; there is no other before restore is called.
func (o *outageSetup) lose(t *testing.T) (restore func()) {
	t.Helper()
	c := again(t, o.k, nil)
	gate := make(chan struct{})
	o.mu.Lock()
	o.gate = gate
	o.mu.Unlock()
	o.proxy.Cut()
	select {
	case <-c.Done():
	case <-testContext(t).Done():
		t.Fatal("the connection is not lost")
	}
	return sync.OnceFunc(func() { close(gate) })
}

// TestKeptInAnOutage starts a command and a connection while there is no
// connection to the server; they wait for the next one.
func TestKeptInAnOutage(t *testing.T) {
	o := newOutageSetup(t, nil)
	restore := o.lose(t)
	cmd := o.k.Command(testContext(t), "cat")
	cmd.Stdin = strings.NewReader("in")
	type result struct {
		out []byte
		err error
	}
	ran := make(chan result, 1)
	go func() {
		out, err := cmd.Output()
		ran <- result{out, err}
	}()
	echo := echoServer(t).String()
	dialed := make(chan error, 1)
	go func() {
		c, err := o.k.DialContext(testContext(t), "tcp", echo)
		if err == nil {
			_, err = io.WriteString(c, "x")
			c.Close()
		}
		dialed <- err
	}()
	given, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("mine")
	cancel(mine)
	if _, err := o.k.DialContext(given, "tcp", echo); !errors.Is(err, mine) || !errors.Is(err, context.Canceled) {
		t.Errorf("DialContext under a context that has ended: %v", err)
	}
	if err := o.k.Command(given, "true").Run(); !errors.Is(err, mine) {
		t.Errorf("Command under a context that has ended: %v", err)
	}
	restore()
	if r := <-ran; r.err != nil || string(r.out) != "in" {
		t.Errorf("%q, %v", r.out, r.err)
	}
	if err := <-dialed; err != nil {
		t.Error(err)
	}
}

// TestKeptCommandIsLost has a command end with its connection, not with the Kept.
func TestKeptCommandIsLost(t *testing.T) {
	o := newOutageSetup(t, nil)
	cmd := o.k.Command(testContext(t), "echo started; sleep 100")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, len("started\n"))
	if _, err := io.ReadFull(out, buf); err != nil {
		t.Fatal(err)
	}
	restore := o.lose(t)
	defer restore()
	var broken *ConnError
	if _, err := out.Read(buf); !errors.As(err, &broken) || broken.Phase != PhaseConnected {
		t.Errorf("the pipe ends with %v", err)
	}
	if err := cmd.Wait(); !errors.As(err, &broken) {
		t.Errorf("Wait %v", err)
	}
	o.k.Close()
	if err := o.k.Command(testContext(t), "true").Run(); !errors.Is(err, ErrClosed) {
		t.Errorf("a command after Close: %v", err)
	}
}

// TestKeptListen keeps a listener on the server over an outage, on the port that
// the server chose.
func TestKeptListen(t *testing.T) {
	o := newOutageSetup(t, nil)
	l, err := o.k.Listen(testContext(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	greet := make(chan error, 1)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				greet <- err
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
	addr := l.Addr().String()
	echoes(t, addr)
	o.lose(t)()
	echoes(t, addr)
	l.Close()
	if err := <-greet; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}

	l, err = o.k.Listen(testContext(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.k.Close()
	if _, err := l.Accept(); !errors.Is(err, ErrClosed) {
		t.Errorf("Accept after Close of the Kept: %v", err)
	}
}

// TestLocalForwardInAnOutage has a local forward listen all the time: what
// connects during an outage waits for the next connection.
func TestLocalForwardInAnOutage(t *testing.T) {
	for _, kind := range []forward.Kind{forward.Local, forward.Dynamic} {
		o := newOutageSetup(t, nil)
		f, err := o.k.Forward(testContext(t), localSpec(t, kind), forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addr := f.Forward().Addrs()[0].String()
		restore := o.lose(t)
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("%v: not listening during the outage: %v", kind, err)
		}
		defer c.Close()
		hello, answer := "hello", "hello"
		if kind == forward.Dynamic {
			hello, answer = "\x05\x01\x00", "\x05\x00"
		}
		io.WriteString(c, hello)
		restore()
		buf := make([]byte, len(answer))
		c.SetDeadline(time.Now().Add(limit))
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != answer {
			t.Errorf("%v: %q, %v", kind, buf, err)
		}
		o.k.Close()
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%v: still listening after Close", kind)
		}
	}
}

// TestLocalForwardWaitEnds closes a connection that waited for too long, and
// those that wait when the forward is stopped.
func TestLocalForwardWaitEnds(t *testing.T) {
	for name, test := range map[string]struct {
		wait time.Duration
		stop func(*KeptForward)
	}{
		"after AcceptWait":     {50 * time.Millisecond, func(*KeptForward) {}},
		"by Stop":              {limit, func(f *KeptForward) { f.Stop() }},
		"by Close of the Kept": {limit, func(f *KeptForward) { f.k.Close() }},
	} {
		o := newOutageSetup(t, func(k *KeepOptions) { k.AcceptWait = test.wait })
		f, err := o.k.Forward(testContext(t), localSpec(t, forward.Local), forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addr := f.Forward().Addrs()[0].String()
		restore := o.lose(t)
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		test.stop(f)
		c.SetDeadline(time.Now().Add(limit))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
		restore()
	}
}

// TestLocalForwardStopped frees the port when the holder stops the forward that
// is open, as when it stops the KeptForward.
func TestLocalForwardStopped(t *testing.T) {
	for name, stop := range map[string]func(*KeptForward){
		"KeptForward.Stop": func(f *KeptForward) { f.Stop() },
		"Forward.Stop":     func(f *KeptForward) { f.Forward().Stop() },
		"Forward.Close":    func(f *KeptForward) { f.Forward().Close() },
	} {
		o := newOutageSetup(t, nil)
		f, err := o.k.Forward(testContext(t), localSpec(t, forward.Local), forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addr := f.Forward().Addrs()[0].String()
		stop(f)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		l.Close()
	}
}

func localSpec(t *testing.T, kind forward.Kind) forward.Spec {
	spec := forward.Spec{Kind: kind, Listen: forward.Addr{Host: "127.0.0.1"}}
	if kind == forward.Local {
		spec.Connect = forward.Addr{Host: "127.0.0.1", Port: echoServer(t).Port}
	}
	return spec
}
