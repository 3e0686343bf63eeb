package forward

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// onServer is where a Remote of the in-process server can be reached.
func onServer(fwd *Forward) net.Addr {
	if path := fwd.Spec().Listen.Socket; path != "" {
		return &net.UnixAddr{Name: path, Net: "unix"}
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: fwd.Spec().Listen.Port}
}

func TestRemote(t *testing.T) {
	f, srv := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Remote, port(0), serveEcho(t)}, Options{})
	if fwd.Spec().Listen.Port == 0 {
		t.Fatal("no port")
	}
	if got, want := fwd.Addrs()[0].String(), fmt.Sprintf("localhost:%d", fwd.Spec().Listen.Port); got != want {
		t.Errorf("address %s, want %s", got, want)
	}
	c := dial(t, onServer(fwd))
	roundTrip(t, c)
	snap := fwd.Snapshot()
	if len(snap.Conns) != 1 || snap.Conns[0].Origin != c.LocalAddr().String() || !snap.Conns[0].Open {
		t.Errorf("snapshot %+v", snap)
	}
	if err := fwd.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := srv.Conns()[0].Forwards(); n != 0 {
		t.Errorf("the server has %d forwardings after Stop", n)
	}
	roundTrip(t, c) // Stop leaves it
	if err := fwd.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(c); err != nil && !isReset(err) {
		t.Error(err)
	}
}

func TestRemoteSocket(t *testing.T) {
	dir := t.TempDir()
	serve(t, "unix", filepath.Join(dir, "target"), echo)
	f, srv := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Remote, sock(filepath.Join(dir, "there")), sock(filepath.Join(dir, "target"))}, Options{})
	roundTrip(t, dial(t, onServer(fwd)))
	fwd.Close()
	if n := srv.Conns()[0].Forwards(); n != 0 {
		t.Errorf("the server has %d forwardings after Close", n)
	}
}

func TestRemoteRefused(t *testing.T) {
	f, _ := connect(t, sshtest.Options{NoForwarding: true})
	for _, spec := range []Spec{{Remote, port(8080), tcp("h", 1)}, {Remote, sock("/s"), tcp("h", 1)}} {
		_, err := f.Open(context.Background(), spec, Options{})
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Addr != spec.Listen {
			t.Errorf("%v: %v", spec, err)
		}
	}
	if n := len(f.registry.entries); n != 0 {
		t.Errorf("%d entries left", n)
	}
}

// TestRemoteTargetRefuses: the server's client is refused, too.
func TestRemoteTargetRefuses(t *testing.T) {
	f, s := scripted(t)
	free := toAddr(t, closedPort(t))
	fwd := openScripted(t, f, s, Spec{Remote, port(99), free}, nil)
	_, _, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 99, "192.0.2.1", 7}))
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed || refused.Message != "connection refused" {
		t.Errorf("%v", err)
	}
	eventually(t, "the connection ends", noConns(fwd))
	if s := fwd.Snapshot(); s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

// openScripted opens a Remote and answers its request.
func openScripted(t *testing.T, f *Forwarder, s *script, spec Spec, reply []byte) *Forward {
	t.Helper()
	type result struct {
		fwd *Forward
		err error
	}
	got := make(chan result, 1)
	go func() {
		fwd, err := f.Open(context.Background(), spec, Options{})
		got <- result{fwd, err}
	}()
	s.request(t).Reply(true, reply)
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	// The test's end closes it, and the server has to agree to that.
	t.Cleanup(func() { s.tcp.Close() })
	return r.fwd
}

// TestRemoteAtOnce: a connection that comes with the answer, or before it, is
// not refused, with a port that was asked for and with one that was chosen.
func TestRemoteAtOnce(t *testing.T) {
	target := serveEcho(t)
	for _, c := range []struct {
		name   string
		listen int
		early  bool
	}{{"known port", 99, false}, {"known port, early", 99, true}, {"chosen port", 0, false}, {"chosen port, early", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			f, s := scripted(t)
			got := make(chan error, 1)
			go func() {
				_, err := f.Open(context.Background(), Spec{Remote, port(c.listen), target}, Options{})
				got <- err
			}()
			req := s.request(t)
			opened := make(chan error, 1)
			connect := func() {
				ch, reqs, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 99, "192.0.2.1", 7}))
				if err == nil {
					go ssh.DiscardRequests(reqs)
					roundTrip(t, ch)
					ch.Close()
				}
				opened <- err
			}
			if c.early {
				go connect()
				if c.listen == 0 {
					eventually(t, "the channel waits", func() bool {
						f.registry.mu.Lock()
						defer f.registry.mu.Unlock()
						return f.registry.held == 1
					})
				} else if err := <-opened; err != nil {
					t.Error(err)
				}
				req.Reply(true, binary.BigEndian.AppendUint32(nil, 99))
			} else {
				req.Reply(true, binary.BigEndian.AppendUint32(nil, 99))
				go connect()
			}
			if !c.early || c.listen == 0 {
				if err := <-opened; err != nil {
					t.Error(err)
				}
			}
			if err := <-got; err != nil {
				t.Error(err)
			}
			s.tcp.Close()
		})
	}
}

// TestRemoteFailsAtOnce: a connection that fails before Open has returned is
// told of while the port is still being noted. It is for the race detector.
func TestRemoteFailsAtOnce(t *testing.T) {
	f, s := scripted(t)
	told, opened := make(chan ConnFailure, 1), make(chan error, 1)
	go func() {
		_, err := f.Open(context.Background(), Spec{Remote, port(99), Addr{Host: "nowhere", Port: 1}}, Options{
			Dial:      func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no") },
			OnFailure: func(failure ConnFailure) { told <- failure },
		})
		opened <- err
	}()
	req := s.request(t)
	if _, _, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 99, "192.0.2.1", 7})); err == nil {
		t.Error("the channel was opened")
	}
	req.Reply(true, nil)
	if err := <-opened; err != nil {
		t.Error(err)
	}
	if failure := <-told; failure.Spec.Listen.Port != 99 {
		t.Errorf("%+v", failure)
	}
	s.tcp.Close()
}

// TestRemoteUnknown: what nobody asked for is refused.
func TestRemoteUnknown(t *testing.T) {
	f, s := scripted(t)
	openScripted(t, f, s, Spec{Remote, port(99), tcp("h", 1)}, nil)
	for _, c := range []struct {
		typ     string
		payload []byte
		reason  ssh.RejectionReason
	}{
		{"forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 98, "192.0.2.1", 7}), ssh.Prohibited},
		{"forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 0, "192.0.2.1", 7}), ssh.ConnectionFailed},
		{"forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", 99 + 65536, "192.0.2.1", 7}), ssh.ConnectionFailed},
		{"forwarded-tcpip", []byte("short"), ssh.ConnectionFailed},
		{"forwarded-tcpip", nil, ssh.ConnectionFailed},
		{"forwarded-streamlocal@openssh.com", ssh.Marshal(&forwardedSocketPayload{"/s", ""}), ssh.Prohibited},
		{"forwarded-streamlocal@openssh.com", ssh.Marshal(&forwardedSocketPayload{"", ""}), ssh.ConnectionFailed},
		{"forwarded-streamlocal@openssh.com", []byte{0}, ssh.ConnectionFailed},
		{"x11", nil, ssh.ConnectionFailed},
	} {
		_, _, err := s.conn.OpenChannel(c.typ, c.payload)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Reason != c.reason {
			t.Errorf("%s %q: %v, want %v", c.typ, c.payload, err, c.reason)
		}
	}
}

// TestRemoteGivenUp: a yes that comes after ctx has ended is taken back.
func TestRemoteGivenUp(t *testing.T) {
	f, s := scripted(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := f.Open(ctx, Spec{Remote, tcp("*", 0), tcp("h", 1)}, Options{})
		got <- err
	}()
	req := s.request(t)
	why := errors.New("given up")
	cancel(why)
	if err := <-got; err != why {
		t.Errorf("Open returns %v", err)
	}
	req.Reply(true, binary.BigEndian.AppendUint32(nil, 99))
	req = s.request(t)
	var p listenPayload
	if err := ssh.Unmarshal(req.Payload, &p); err != nil || req.Type != "cancel-tcpip-forward" || p != (listenPayload{"", 99}) {
		t.Errorf("%s %+v, %v", req.Type, p, err)
	}
	req.Reply(true, nil)
}

// TestWireHost holds the address in tcpip-forward to what ssh sends.
func TestWireHost(t *testing.T) {
	for _, c := range []struct {
		addr Addr
		want string
	}{
		{port(1), "localhost"}, {empty(1), ""}, {tcp("*", 1), ""},
		{tcp("localhost", 1), "localhost"}, {tcp("0.0.0.0", 1), "0.0.0.0"}, {tcp("::", 1), "::"},
	} {
		if got := wireHost(c.addr); got != c.want {
			t.Errorf("%+v: %q, want %q", c.addr, got, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	add := func(a Addr) *entry { return &entry{host: wireHost(a), addr: a} }
	loop, six, all, other := add(port(80)), add(tcp("::1", 80)), add(tcp("*", 80)), add(tcp("192.0.2.1", 80))
	alone, s1, s2, open := add(tcp("192.0.2.2", 81)), add(sock("/1")), add(sock("/2")), add(port(0))
	r := &registry{entries: []*entry{loop, six, all, other, alone, s1, s2, open}}
	for _, c := range []struct {
		in   Addr
		want *entry
	}{
		{tcp("localhost", 80), loop},
		{tcp("127.0.0.1", 80), loop}, // means localhost, and comes first
		{tcp("::1", 80), six},
		{tcp("", 80), all},
		{tcp("0.0.0.0", 80), all},
		{tcp("192.0.2.1", 80), other},
		{tcp("192.0.2.9", 80), all}, // an address of the wildcard
		{tcp("192.0.2.2", 81), alone},
		{tcp("", 81), alone}, // the only one with that port
		{tcp("localhost", 82), nil},
		{sock("/1"), s1}, {sock("/2"), s2}, {sock("/3"), nil},
	} {
		if got := r.match(c.in); got != c.want {
			t.Errorf("%v: got %+v", c.in, got)
		}
	}
	two := &registry{entries: []*entry{loop, other}}
	if got := two.match(tcp("192.0.2.9", 80)); got != nil {
		t.Errorf("neither is meant, got %+v", got)
	}
}

// TestHeldLimit: ports that a server makes up do not pile up.
func TestHeldLimit(t *testing.T) {
	f, s := scripted(t)
	f.registry.add(&entry{addr: port(0), take: func(incoming) {}})
	results := make(chan error, maxHeld+1)
	for i := range maxHeld + 1 {
		go func() {
			_, _, err := s.conn.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpPayload{"localhost", uint32(i + 1), "192.0.2.1", 7}))
			results <- err
		}()
	}
	var refused *ssh.OpenChannelError
	select {
	case err := <-results:
		if !errors.As(err, &refused) || refused.Reason != ssh.Prohibited {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("all wait")
	}
	s.tcp.Close()
	for range maxHeld {
		<-results
	}
}

// TestRemoteSOCKS is -R without target: the server's clients say by SOCKS where
// they want to go from here, as far as they may.
func TestRemoteSOCKS(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	fwd := open(t, f, Spec{Kind: Remote}, Options{})
	testCurl(t, onServer(fwd).String())
	eventually(t, "the connections end", noConns(fwd))

	web := webServer(t, "tcp4", "127.0.0.1:0")
	permit, err := ParsePermitOpen([]string{fmt.Sprintf("127.0.0.1:%d", web)})
	if err != nil {
		t.Fatal(err)
	}
	some := open(t, f, Spec{Kind: Remote}, Options{Permit: permit})
	proxy := "socks5h://" + onServer(some).String()
	if got, err := curl(t, proxy, fmt.Sprintf("http://127.0.0.1:%d/", web)); !strings.HasPrefix(got, "host") {
		t.Errorf("permitted: %q, %v", got, err)
	}
	// The same by another name is not what was permitted.
	if _, err := curl(t, proxy, fmt.Sprintf("http://localhost:%d/", web)); err == nil || !strings.Contains(err.Error(), "(2)") {
		t.Errorf("not permitted: %v", err)
	}
	eventually(t, "the connections end", noConns(some))
}

// TestRemoteSOCKSEarly: data that comes with the request is not lost.
func TestRemoteSOCKSEarly(t *testing.T) {
	f, _ := connect(t, sshtest.Options{})
	target := serveEcho(t)
	fwd := open(t, f, Spec{Kind: Remote}, Options{})
	c := dial(t, onServer(fwd)).(*net.TCPConn)
	c.Write(append([]byte{4, 1, byte(target.Port >> 8), byte(target.Port)}, "\x7f\x00\x00\x01\x00early"...))
	c.CloseWrite()
	got, err := io.ReadAll(c)
	if want := "\x00\x5a\x00\x00\x00\x00\x00\x00early"; string(got) != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
