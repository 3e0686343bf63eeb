package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

func stdio(t *testing.T, f *Forwarder, to Addr) *StdioForward {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := f.OpenStdio(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeWriter notes that it was closed.
type closeWriter struct {
	bytes.Buffer
	closed chan struct{}
}

func (w *closeWriter) Close() error { close(w.closed); return nil }

// TestStdio: the end of input goes to the target, whose answer still comes.
func TestStdio(t *testing.T) {
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		all, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(all))
	})
	f, _ := connect(t, sshtest.Options{})
	s := stdio(t, f, toAddr(t, target))
	out := &closeWriter{closed: make(chan struct{})}
	if err := s.Run(strings.NewReader("hello"), out); err != nil {
		t.Fatal(err)
	}
	<-out.closed
	if out.String() != "HELLO" {
		t.Errorf("got %q", out.String())
	}
	if snap := s.Snapshot(); snap.In != 5 || snap.Out != 5 || snap.Target != toAddr(t, target).String() {
		t.Errorf("%+v", snap)
	}
}

// TestStdioInputStays: Run returns when the server closes the channel though
// input goes on, and interrupts the reading of it if it can.
func TestStdioInputStays(t *testing.T) {
	f, s := scripted(t)
	got := make(chan *StdioForward, 1)
	go func() { got <- stdio(t, f, tcp("h", 80)) }()
	ch := s.accept(t)
	fwd := <-got
	near, far := net.Pipe() // has SetReadDeadline
	defer near.Close()
	defer far.Close()
	ch.Write([]byte("all"))
	ch.CloseWrite()
	out := &closeWriter{closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- fwd.Run(near, out) }()
	<-out.closed
	// Half closed: what is typed now still goes out.
	far.Write([]byte("more"))
	buf := make([]byte, 4)
	if _, err := io.ReadFull(ch, buf); err != nil || string(buf) != "more" {
		t.Errorf("%q, %v", buf, err)
	}
	ch.Close()
	if err := <-done; err != nil || out.String() != "all" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestStdioErrors(t *testing.T) {
	f, s := scripted(t)
	f.lossGrace = patience
	refused := make(chan error, 1)
	go func() {
		_, err := f.OpenStdio(context.Background(), sock("/s"))
		refused <- err
	}()
	ch := s.open(t)
	if got := ch.ChannelType(); got != "direct-streamlocal@openssh.com" {
		t.Error(got)
	}
	ch.Reject(ssh.Prohibited, "open failed")
	var oe *OpenError
	if err := <-refused; !errors.As(err, &oe) || oe.Reason != ssh.Prohibited || oe.Message != "open failed" || oe.Target != sock("/s") {
		t.Errorf("%v", err)
	}

	broken := errors.New("broken")
	got := make(chan *StdioForward, 1)
	go func() { got <- stdio(t, f, tcp("h", 80)) }()
	s.accept(t)
	if err := (<-got).Run(io.MultiReader(strings.NewReader("x"), errReader{broken}), io.Discard); err != broken {
		t.Errorf("broken input: %v", err)
	}

	go func() { got <- stdio(t, f, tcp("h", 80)) }()
	s.accept(t)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	done := make(chan error, 1)
	fwd := <-got
	go func() { done <- fwd.Run(near, io.Discard) }()
	s.tcp.Close()
	if err := <-done; !errors.Is(err, ErrConnectionLost) {
		t.Errorf("lost connection: %v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
