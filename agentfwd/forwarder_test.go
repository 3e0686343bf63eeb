package agentfwd

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/internal/wire"
)

// hop is one SSH connection inside the test, whose server opens agent channels.
type hop struct {
	f       *Forwarder
	server  *ssh.ServerConn
	client  *ssh.Client
	binding Binding

	mu       sync.Mutex
	warnings []error
}

// newHop connects, and serves a Forwarder on the client's side. Its Binding is
// set unless unbound.
func newHop(t testing.TB, config ForwarderConfig, unbound bool) *hop {
	t.Helper()
	near, far := socketPair(t)
	hostKey := newSigner(t, "ed25519")
	serverConfig := &ssh.ServerConfig{NoClientAuth: true}
	serverConfig.AddHostKey(hostKey)
	h := &hop{}
	ready := make(chan error, 1)
	go func() { // ends with the handshake
		conn, chans, reqs, err := ssh.NewServerConn(far, serverConfig)
		if err == nil {
			h.server = conn
			go ssh.DiscardRequests(reqs)
			go func() {
				for ch := range chans {
					ch.Reject(ssh.Prohibited, "none")
				}
			}()
		}
		ready <- err
	}()
	observer := ObserveKex(near)
	conn, chans, reqs, err := ssh.NewClientConn(observer, "host", &ssh.ClientConfig{
		HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey()),
	})
	if err := errors.Join(err, <-ready); err != nil {
		t.Fatal(err)
	}
	h.client = ssh.NewClient(conn, chans, reqs)
	if h.binding, err = observer.Binding(conn.SessionID()); err != nil {
		t.Fatal(err)
	}
	if !unbound {
		config.Binding = &h.binding
	}
	config.Warn = h.warn
	h.f = NewForwarder(config)
	h.f.Allow()
	served := make(chan struct{})
	opened := h.client.HandleChannelOpen(ChannelType)
	go func() { // ends with the connection
		defer close(served)
		h.f.Serve(opened)
	}()
	t.Cleanup(func() {
		h.client.Close()
		h.server.Close()
		<-served
		h.f.Close()
	})
	return h
}

func (h *hop) warn(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warnings = append(h.warnings, err)
}

// warned returns the warnings so far.
func (h *hop) warned() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.warnings
}

// open opens an agent channel from the server's side.
func (h *hop) open(t testing.TB) ssh.Channel {
	t.Helper()
	ch, reqs, err := h.server.OpenChannel(ChannelType, nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	t.Cleanup(func() { ch.Close() })
	return ch
}

// ask sends one message on a channel and reads the answer.
func ask(t testing.TB, ch ssh.Channel, msg []byte) []byte {
	t.Helper()
	if err := writeMessage(ch, msg); err != nil {
		t.Fatal(err)
	}
	reply, err := readMessage(ch)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// at is the source of a socket.
func at(socket string) Source { return Source{SourcePath, socket} }

func TestForwardToOpenSSHAgent(t *testing.T) {
	socket := startAgent(t)
	own := connect(t, socket, nil)
	const keys = 5
	for i := range keys {
		if err := own.Add(t.Context(), AddedKey{PrivateKey: newKey(t), Comment: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	h := newHop(t, ForwarderConfig{Source: at(socket)}, false)
	var wg sync.WaitGroup
	for i := range 50 { // at once, each with a connection of its own to the agent
		ch := h.open(t)
		wg.Go(func() {
			remote := agent.NewClient(ch)
			defer ch.Close()
			signers, err := remote.Signers()
			if err != nil || len(signers) != keys {
				t.Errorf("channel %d: %d keys, error %v", i, len(signers), err)
				return
			}
			for round := range 10 {
				s := signers[(i+round)%keys]
				data := bytes.Repeat(fmt.Append(nil, i, round), 100*(i+1))
				sig, err := s.Sign(rand.Reader, data)
				if err != nil {
					t.Errorf("channel %d: %v", i, err)
				} else if err := s.PublicKey().Verify(data, sig); err != nil {
					t.Errorf("channel %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if warnings := h.warned(); len(warnings) != 0 {
		t.Errorf("warnings %v", warnings)
	}
	// Without a policy everything passes, additions too.
	remote := agent.NewClient(h.open(t))
	if err := remote.Add(agent.AddedKey{PrivateKey: newKey(t), Comment: "from the other side"}); err != nil {
		t.Error(err)
	}
	if ids, err := own.Identities(t.Context()); err != nil || len(ids) != keys+1 {
		t.Errorf("%d keys, error %v", len(ids), err)
	}
}

func TestForwardBindsFirst(t *testing.T) {
	for _, unbound := range []bool{false, true} {
		fake := &fakeAgent{answer: func(_, _ int, msg []byte) []byte {
			if msg[0] == msgExtension {
				return []byte{msgSuccess}
			}
			return marshalIdentities(nil)
		}}
		h := newHop(t, ForwarderConfig{Source: at(fake.listen(t))}, unbound)
		theirs := sessionBind{HostKey: []byte("h"), SessionID: []byte("i"), Signature: []byte("s")}.marshal()
		ch := h.open(t)
		reply := ask(t, ch, theirs)
		ask(t, ch, []byte{msgRequestIdentities})
		ours := sessionBind{
			HostKey: h.binding.HostKey.Marshal(), SessionID: h.client.SessionID(), Signature: h.binding.Signature, Forwarding: true,
		}.marshal()
		want, wantReply := [][]byte{ours, theirs, {msgRequestIdentities}}, byte(msgSuccess)
		if unbound {
			want, wantReply = [][]byte{{msgRequestIdentities}}, msgFailure
		}
		if got := fake.messages(); !equalMessages(got, want) {
			t.Errorf("unbound %v: agent got\n%x, want\n%x", unbound, got, want)
		}
		if reply[0] != wantReply {
			t.Errorf("unbound %v: session-bind answered %d", unbound, reply[0])
		}
	}
}

func equalMessages(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestUnboundAgentGetsNoForeignBinding(t *testing.T) {
	// An agent that refuses ours must not get the server's as its first.
	fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{msgFailure} }}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t))}, false)
	ch := h.open(t)
	for _, name := range []string{extSessionBind, extSessionBind + "\x00"} {
		if reply := ask(t, ch, wire.AppendString([]byte{msgExtension}, name)); reply[0] != msgFailure {
			t.Errorf("%q: answered %d", name, reply[0])
		}
	}
	if got := fake.messages(); len(got) != 1 {
		t.Errorf("agent got %d messages, want ours alone", len(got))
	}
}

func TestForwardNotRequested(t *testing.T) {
	h := &hop{}
	f := NewForwarder(ForwarderConfig{Warn: h.warn})
	for range 2 {
		ch := &rejectedChannel{}
		f.ServeChannel(ch)
		if ch.reason != ssh.Prohibited {
			t.Errorf("reason %v", ch.reason)
		}
	}
	if w := h.warned(); len(w) != 1 || !errors.Is(w[0], ErrNotRequested) {
		t.Errorf("warnings %v", w)
	}
	f.Allow()
	f.Close()
	ch := &rejectedChannel{}
	f.ServeChannel(ch)
	if ch.reason != ssh.Prohibited || len(h.warned()) != 1 {
		t.Errorf("after Close: reason %v, warnings %v", ch.reason, h.warned())
	}
}

// rejectedChannel notes its rejection.
type rejectedChannel struct {
	ssh.NewChannel
	reason ssh.RejectionReason
}

func (c *rejectedChannel) Reject(reason ssh.RejectionReason, _ string) error {
	c.reason = reason
	return nil
}

func TestForwardWithoutAgent(t *testing.T) {
	socket := filepath.Join(shortDir(t), "later")
	h := newHop(t, ForwarderConfig{Source: at(socket)}, false)
	for range 3 {
		_, _, err := h.server.OpenChannel(ChannelType, nil)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed {
			t.Errorf("error %v", err)
		}
	}
	if w := h.warned(); len(w) != 1 || !errors.As(w[0], new(*UnavailableError)) {
		t.Errorf("warnings %v", w)
	}
	// An agent that appears is used, and its next absence is news again.
	fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{msgSuccess} }}
	if err := os.Symlink(fake.listen(t), socket); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	h.server.OpenChannel(ChannelType, nil)
	if w := h.warned(); len(w) != 2 {
		t.Errorf("warnings %v", w)
	}
}

func TestForwardHangingAgent(t *testing.T) {
	socket := filepath.Join(shortDir(t), "hang")
	l, err := net.Listen("unix", socket) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := newHop(t, ForwarderConfig{
		Source: at(socket),
		Agent:  Options{RequestTimeout: 20 * time.Millisecond, SignTimeout: 20 * time.Millisecond},
	}, false)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, _, err := h.server.OpenChannel(ChannelType, nil); err == nil {
				t.Error("channel opened")
			}
		})
	}
	wg.Wait()
	if w := h.warned(); len(w) != 1 || !errors.Is(w[0], ErrTimeout) {
		t.Errorf("warnings %v", w)
	}
}

func TestForwardAgentDiesMidway(t *testing.T) {
	for _, how := range []string{"hangs up", "hangs"} {
		t.Run(how, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			fake := &fakeAgent{answer: func(_, n int, msg []byte) []byte {
				switch {
				case n == 0:
					return []byte{msgSuccess} // session-bind
				case n == 1:
					return marshalIdentities(nil)
				case how == "hangs":
					<-release
				}
				return nil
			}}
			h := newHop(t, ForwarderConfig{Source: at(fake.listen(t)), Agent: Options{SignTimeout: 500 * time.Millisecond}}, false)
			for range 2 {
				ch := h.open(t)
				ask(t, ch, []byte{msgRequestIdentities})
				if err := writeMessage(ch, []byte{msgRequestIdentities}); err != nil {
					t.Fatal(err)
				}
				if reply, err := readMessage(ch); err != io.EOF {
					t.Errorf("got %x, error %v; want the end of the channel", reply, err)
				}
			}
			if w := h.warned(); len(w) != 1 || !errors.As(w[0], new(*UnavailableError)) {
				t.Errorf("warnings %v", w)
			}
		})
	}
}

func TestForwardHalfClose(t *testing.T) {
	fake := &fakeAgent{answer: func(_, n int, msg []byte) []byte {
		if n == 0 {
			return []byte{msgSuccess}
		}
		return append([]byte{99}, msg...)
	}}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t))}, false)
	ch := h.open(t)
	const count = 20
	for i := range count { // all at once, then the end of file
		if err := writeMessage(ch, []byte{byte(i + 50)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ch.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if reply, err := readMessage(ch); err != nil || !bytes.Equal(reply, []byte{99, byte(i + 50)}) {
			t.Errorf("reply %d: %x, error %v", i, reply, err)
		}
	}
	if _, err := readMessage(ch); err != io.EOF {
		t.Errorf("after the last reply: error %v", err)
	}
}

func TestForwardBadMessagesEndTheChannel(t *testing.T) {
	fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{msgSuccess} }}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t))}, false)
	for _, bad := range []string{"\x00\x00\x00\x00", "\x00\x04\x00\x01\x0b", "\xff\xff\xff\xff"} {
		ch := h.open(t)
		io.WriteString(ch, bad)
		if reply, err := readMessage(ch); err != io.EOF {
			t.Errorf("%x: got %x, error %v", bad, reply, err)
		}
	}
	if w := h.warned(); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
}

func TestForwardTooManyChannels(t *testing.T) {
	fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{msgSuccess} }}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t)), MaxChannels: 2}, false)
	h.open(t)
	second := h.open(t)
	_, _, err := h.server.OpenChannel(ChannelType, nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("error %v", err)
	}
	second.Close()
	io.Copy(io.Discard, second) // until the other side's close
	// Its place is free once its goroutine is through.
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		_, _, err := h.server.OpenChannel(ChannelType, nil)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestForwarderCloseEndsAll(t *testing.T) {
	asked, cancelled := make(chan struct{}), make(chan error, 1)
	keyring := agent.NewKeyring()
	pubs := addKeys(t, keyring, "one")
	policy := &Policy{Confirm: func(ctx context.Context, _ Use) (bool, error) {
		close(asked)
		<-ctx.Done()
		cancelled <- context.Cause(ctx)
		return true, nil
	}}
	h := newHop(t, ForwarderConfig{Source: at(keyringAgent(t, keyring)), Policy: policy}, false)
	idle, busy := h.open(t), h.open(t)
	if err := writeMessage(busy, signRequest{KeyBlob: pubs[0].Marshal(), Data: []byte("x")}.marshal()); err != nil {
		t.Fatal(err)
	}
	<-asked
	h.f.Close()
	if err := <-cancelled; !errors.Is(err, ErrClosed) {
		t.Errorf("the question ends with %v", err)
	}
	for _, ch := range []ssh.Channel{idle, busy} {
		if reply, err := readMessage(ch); err != io.EOF {
			t.Errorf("got %x, error %v", reply, err)
		}
	}
	if _, _, err := h.server.OpenChannel(ChannelType, nil); err == nil {
		t.Error("channel opened after Close")
	}
}

func TestQuestionEndsWithTheChannel(t *testing.T) {
	asked, cancelled := make(chan struct{}), make(chan struct{})
	keyring := agent.NewKeyring()
	pubs := addKeys(t, keyring, "one")
	policy := &Policy{Confirm: func(ctx context.Context, _ Use) (bool, error) {
		close(asked)
		<-ctx.Done()
		close(cancelled)
		return false, ctx.Err()
	}}
	h := newHop(t, ForwarderConfig{Source: at(keyringAgent(t, keyring)), Policy: policy}, false)
	ch := h.open(t)
	if err := writeMessage(ch, signRequest{KeyBlob: pubs[0].Marshal(), Data: []byte("x")}.marshal()); err != nil {
		t.Fatal(err)
	}
	<-asked
	ch.Close()
	<-cancelled
	if w := h.warned(); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
}

// TestForwardExtendedData: more extended data than the window holds does not
// keep requests from being answered.
func TestForwardExtendedData(t *testing.T) {
	fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{msgSuccess} }}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t))}, false)
	ch := h.open(t)
	limit := time.AfterFunc(20*time.Second, func() { h.server.Close() })
	defer limit.Stop()
	if _, err := ch.Stderr().Write(make([]byte, 5<<20)); err != nil {
		t.Fatal(err)
	}
	if reply := ask(t, ch, []byte{msgLock}); reply[0] != msgSuccess {
		t.Errorf("reply %v", reply)
	}
}
