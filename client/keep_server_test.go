package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// quickly keeps the tests short; no test depends on it being short.
func quickly(o Options) KeepOptions {
	return KeepOptions{Options: o, MinDelay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond}
}

// keepSetup is a setup whose connections go through a Proxy, and are checked
// to be one at a time.
func keepSetup(t *testing.T, o sshtest.Options, lines ...string) (*setup, *faultnet.Proxy) {
	t.Helper()
	s := newSetup(t, o, lines...)
	p, err := faultnet.NewProxy(s.srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	var last net.Conn
	s.opts.NetDial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if last != nil && !errors.Is(last.SetDeadline(time.Time{}), net.ErrClosed) {
			t.Error("dialled while the connection before was open")
		}
		c, err := new(net.Dialer).DialContext(ctx, network, p.Addr())
		if err == nil {
			last = c
		}
		return c, err
	}
	return s, p
}

func startKeep(t *testing.T, o KeepOptions) *Kept {
	t.Helper()
	k := Keep(testContext(t), "sshtest", &o)
	t.Cleanup(func() { k.Close() })
	return k
}

// again waits for another connection than c, which may be nil.
func again(t *testing.T, k *Kept, c *Client) *Client {
	t.Helper()
	if c != nil {
		select {
		case <-c.Done():
		case <-testContext(t).Done():
			t.Fatal("the connection is not lost")
		}
	}
	next, err := k.Client(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if next == c {
		t.Fatal("the same connection again")
	}
	return next
}

// echoServer answers each connection with what it sends, and counts them.
func echoServer(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// echoes waits until addr answers, as it does once a forward is back.
func echoes(t *testing.T, addr string) {
	t.Helper()
	ctx := testContext(t)
	for {
		err := echoOnce(addr) // the one that holds the port may be dead
		if err == nil {
			return
		}
		if sleep(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("%s does not answer: %v", addr, err)
		}
	}
}

func echoOnce(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	io.WriteString(c, "hello")
	buf := make([]byte, 5)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
		return fmt.Errorf("%q, %v", buf, err)
	}
	return nil
}

// TestKeepThroughFaults loses the connection in each way that a network knows,
// and has a shell command and forwards of each kind work again afterwards.
func TestKeepThroughFaults(t *testing.T) {
	// The server gives up what is lost to it too, and the port with it.
	s, p := keepSetup(t, sshtest.Options{AliveInterval: time.Second, AliveCountMax: 4},
		"ServerAliveInterval 1", "ServerAliveCountMax 1")
	k := startKeep(t, quickly(s.opts))
	echo := echoServer(t)
	target := forward.Addr{Host: "127.0.0.1", Port: echo.Port}
	var addrs []string
	for _, kind := range []forward.Kind{forward.Local, forward.Remote} {
		f, err := k.Forward(testContext(t), forward.Spec{Kind: kind, Listen: forward.Addr{Host: "127.0.0.1", Port: freePort(t)}, Connect: target}, forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, f.Forward().Addrs()[0].String())
	}
	c := again(t, k, nil)
	for _, fault := range []struct {
		name       string
		do, mended func()
		why        error
	}{
		{"cut", p.Cut, func() {}, nil},
		{"reset", p.Reset, func() {}, nil},
		{"black hole", func() { p.BlackHole(faultnet.Both) }, func() { p.Resume(faultnet.Both) }, keepalive.ErrPeerLost},
		{"stalled up", func() { p.Stall(faultnet.Up) }, func() { p.Resume(faultnet.Up) }, keepalive.ErrPeerLost},
	} {
		fault.do()
		<-c.Done()
		if fault.why != nil && !errors.Is(c.Err(), fault.why) {
			t.Errorf("%s: ended with %v", fault.name, c.Err())
		}
		fault.mended()
		c = again(t, k, c)
		if out, err := c.Command(testContext(t), "echo back").Output(); err != nil || string(out) != "back\n" {
			t.Errorf("%s: %q, %v", fault.name, out, err)
		}
		for _, addr := range addrs {
			echoes(t, addr)
		}
	}
}

// TestKeepRestartedServer has the server go away, and another come on its port.
func TestKeepRestartedServer(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	var k *Kept
	o := quickly(s.opts)
	waiting := make(chan KeepState, 100)
	o.OnState = func(st KeepState) {
		if st.Phase == KeepWaiting {
			select {
			case waiting <- st:
			default:
			}
		}
	}
	k = startKeep(t, o)
	c := again(t, k, nil)
	restart := func(change func(*sshtest.Options)) {
		t.Helper()
		o := sshtest.Options{Listen: s.srv.Addr(), HostKeys: s.srv.HostKeys(),
			Users: []sshtest.User{{Name: sshtest.DefaultUser, Keys: []ssh.PublicKey{s.srv.ClientKey.PublicKey()}}}}
		change(&o)
		srv := s.srv
		srv.Close()
		<-c.Done()
		for range 3 { // attempts at a closed port
			<-waiting
		}
		next, err := sshtest.Start(&o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { next.Close() })
		next.ClientKey = srv.ClientKey
		s.srv = next
	}
	restart(func(*sshtest.Options) {})
	c = again(t, k, c)
	restart(func(o *sshtest.Options) { o.Users[0].Keys = []ssh.PublicKey{s.srv.HostKey()} })
	var auth *AuthError
	if err := k.Wait(); !errors.As(err, &auth) {
		t.Errorf("a server that does not know the key any more: %v", err)
	}
}

func TestKeepAnotherHostKey(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	k := startKeep(t, quickly(s.opts))
	again(t, k, nil)
	addr := s.srv.Addr()
	s.srv.Close()
	sshtest.NewServer(t, &sshtest.Options{Listen: addr})
	if err := k.Wait(); !errors.Is(err, hostkey.ErrVerification) {
		t.Errorf("ended with %v", err)
	}
}

// TestKeepAnotherHostKeyUnchecked has nothing but the first connection to tell
// the right host key by: neither the target nor a jump host that shows another
// one gets as far as authentication.
func TestKeepAnotherHostKeyUnchecked(t *testing.T) {
	for name, viaHop := range map[string]bool{"target": false, "jump host": true} {
		t.Run(name, func(t *testing.T) {
			user := sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}}}
			s := newSetup(t, user)
			changing := s.srv
			lines := []string{"StrictHostKeyChecking no", "UserKnownHostsFile /dev/null", "PubkeyAuthentication no"}
			if viaHop {
				changing = sshtest.NewServer(t, &user)
				lines = append(lines, "Match originalhost hop", "HostName 127.0.0.1", fmt.Sprintf("Port %d", changing.Port()), "User test",
					"Match originalhost sshtest", "ProxyJump hop", "Match all")
			}
			s.configure(t, s.opts.ConfigOptions.UserFile, lines...)
			s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) { return "secret", nil }}
			k := startKeep(t, quickly(s.opts))
			c := again(t, k, nil)

			same := user
			same.Listen, same.HostKeys = changing.Addr(), changing.HostKeys()
			changing.Close()
			restarted := sshtest.NewServer(t, &same)
			again(t, k, c)

			restarted.Close()
			other := sshtest.NewServer(t, &sshtest.Options{Listen: same.Listen, Users: user.Users})
			var changed *hostkey.ChangedError
			if err := k.Wait(); !errors.As(err, &changed) || !changed.Earlier {
				t.Errorf("ended with %v", err)
			}
			if n := len(other.Attempts()); n > 0 {
				t.Errorf("the second server was authenticated to: %v", other.Attempts())
			}
		})
	}
}

// TestKeepRefusedForward has a server that holds the port for a while after
// the connection that it was for.
func TestKeepRefusedForward(t *testing.T) {
	var refuse atomic.Int32
	s, p := keepSetup(t, sshtest.Options{OnRequest: func(r sshtest.Record) sshtest.Reaction {
		if r.Type == "tcpip-forward" && refuse.Add(-1) >= 0 {
			return sshtest.Reaction{Verdict: sshtest.Refuse}
		}
		return sshtest.Reaction{}
	}})
	echo := echoServer(t)
	free := freePort(t)
	o := quickly(s.opts)
	o.Forwards = []forward.Spec{{Kind: forward.Remote, Listen: forward.Addr{Host: "127.0.0.1", Port: free}, Connect: forward.Addr{Host: "127.0.0.1", Port: echo.Port}}}
	states := make(chan ForwardState, 100)
	o.OnForward = func(st ForwardState) { states <- st }
	k := startKeep(t, o)
	c := again(t, k, nil)
	if st := <-states; st.Err != nil {
		t.Fatal(st.Err)
	}
	refuse.Store(3)
	p.Cut()
	c = again(t, k, c)
	for i := range 4 {
		st := <-states
		if st.Attempt != i+1 || (st.Err != nil) != (i < 3) || (st.Open != nil) != (i == 3) {
			t.Errorf("attempt %d: %v", st.Attempt, st.Err)
		}
	}
	echoes(t, fmt.Sprintf("127.0.0.1:%d", free))
	if c.Err() != nil {
		t.Errorf("the connection was given up for it: %v", c.Err())
	}
}

// TestKeepGivesUpOnOneAttempt: a server that accepts and says nothing does not
// hold a Kept up for ever; a first attempt that has to succeed is Dial's.
func TestKeepGivesUpOnOneAttempt(t *testing.T) {
	for _, first := range []bool{false, true} {
		s := newSetup(t, sshtest.Options{}, "ConnectTimeout 0")
		var dialed chan time.Duration
		s.opts.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			// The limit is a timer behind the context, not a deadline in it.
			began := time.Now()
			<-ctx.Done()
			dialed <- time.Since(began)
			return nil, context.Cause(ctx)
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			dialed = make(chan time.Duration, 1)
			o := (&KeepOptions{Options: s.opts, RequireFirst: first}).withDefaults()
			_, err := (&keepDial{target: "sshtest", opts: o, attempt: 1}).dial(ctx)
			took, want := <-dialed, DefaultDialTimeout
			if first {
				want = time.Hour
			}
			if took != want || errors.Is(err, ErrTimeout) == first {
				t.Errorf("RequireFirst %v: gave up after %v with %v", first, took, err)
			}
		})
	}
}

// TestKeepReadsConfigurationAnew: what the user isTemporary in the file counts at
// the next attempt.
func TestKeepReadsConfigurationAnew(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	file := s.opts.ConfigOptions.UserFile
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := "Port 1\n" + string(good)
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	o := quickly(s.opts)
	failed := make(chan error, 100)
	o.OnState = func(st KeepState) { failed <- st.Cause }
	k := startKeep(t, o)
	for err := range failed {
		if err != nil && strings.Contains(err.Error(), "port 1") {
			break
		}
	}
	// The file is replaced at once: a Dial may be reading it.
	if err := os.Rename(s.write(t, "mended", string(good)), file); err != nil {
		t.Fatal(err)
	}
	again(t, k, nil)
}
