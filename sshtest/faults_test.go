package sshtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/sshtest"
)

// handshake begins a connection and waits for the outcome for an hour of the
// bubble's time.
func handshake(srv *sshtest.Server) (net.Conn, *ssh.Client, error) {
	nc := srv.Pipe()
	nc.SetDeadline(time.Now().Add(time.Hour))
	conn, chans, reqs, err := ssh.NewClientConn(nc, srv.Addr(), srv.ClientConfig())
	if err != nil {
		return nc, nil, err
	}
	return nc, ssh.NewClient(conn, chans, reqs), nil
}

func TestStallAndCloseAtEachStage(t *testing.T) {
	for _, stage := range []sshtest.Stage{sshtest.StageAccept, sshtest.StageVersion, sshtest.StageKex, sshtest.StageAuth} {
		synctest.Test(t, func(t *testing.T) {
			srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Faults: sshtest.Faults{StallAt: stage}})
			begin := time.Now()
			nc, _, err := handshake(srv)
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begin) != time.Hour {
				t.Errorf("stalled at stage %d: %v after %v", stage, err, time.Since(begin))
			}
			nc.Close()
			if got := len(srv.Attempts()); got != 0 {
				t.Errorf("stalled at stage %d: %d attempts answered", stage, got)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Faults: sshtest.Faults{CloseAt: stage}})
			begin := time.Now()
			nc, _, err := handshake(srv)
			if err == nil || time.Since(begin) != 0 {
				t.Errorf("closed at stage %d: %v after %v", stage, err, time.Since(begin))
			}
			nc.Close()
		})
	}
}

func TestStallAfterAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Faults: sshtest.Faults{StallAt: sshtest.StageSession}})
		nc, client, err := handshake(srv)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := client.NewSession(); err == nil || time.Since(begin) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		nc.Close()
	})
}

func TestDisconnectWithAReason(t *testing.T) {
	for _, stage := range []sshtest.Stage{sshtest.StageVersion, sshtest.StageAuth, sshtest.StageSession} {
		srv := sshtest.NewServer(t, &sshtest.Options{Faults: sshtest.Faults{
			Disconnect: sshtest.Disconnect{At: stage, Reason: 12, Message: "too many connections"}}})
		client, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
		if err == nil {
			err = client.Wait()
			client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), `reason 12: "too many connections"`) {
			t.Errorf("stage %d: %v", stage, err)
		}
	}
	if _, err := sshtest.Start(&sshtest.Options{Faults: sshtest.Faults{
		Disconnect: sshtest.Disconnect{At: sshtest.StageKex}}}); err == nil {
		t.Error("a stage at which there is no disconnecting was accepted")
	}
}

func TestDropAfterBytes(t *testing.T) {
	for _, f := range []sshtest.Faults{{DropAfterSent: 100}, {DropAfterReceived: 100}, {DropAfterSent: 5000}} {
		synctest.Test(t, func(t *testing.T) {
			srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Faults: f, Handler: sshtest.Flood(1<<20, 0)})
			nc, client, err := handshake(srv)
			if err == nil {
				s := newSession(t, client)
				_, err = s.Output("flood")
			}
			if err == nil {
				t.Errorf("%+v: nothing happened", f)
			}
			nc.Close()
		})
	}
}

func TestBeforeTheVersion(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Version: "SSH-2.0-other",
		PreVersion: strings.Repeat("garbage\r\n", 500)})
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	if v := string(client.ServerVersion()); v != "SSH-2.0-other" {
		t.Errorf("version %q", v)
	}
}

// execAnswered sends envs and an exec on a new channel, of which only the exec
// wants an answer (x/crypto cannot wait for two), and tells whether it came
// within an hour.
func execAnswered(t *testing.T, client *ssh.Client, envs int) bool {
	t.Helper()
	ch, reqs, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	defer ch.Close()
	for range envs {
		if _, err := ch.SendRequest("env", false, ssh.Marshal(struct{ K, V string }{"A", "b"})); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan struct{})
	go func() {
		if ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ C string }{"true"})); ok && err == nil {
			close(answered)
		}
	}()
	select {
	case <-answered:
		return true
	case <-time.After(time.Hour):
		return false
	}
}

func TestHoldReplies(t *testing.T) {
	for hold, answered := range map[int]bool{1: true, 2: false} {
		synctest.Test(t, func(t *testing.T) {
			srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, HoldReplies: hold, Handler: sshtest.Say("", "", sshtest.Exit{})})
			_, client, err := handshake(srv)
			if err != nil {
				t.Fatal(err)
			}
			if got := execAnswered(t, client, 2); got != answered {
				t.Errorf("hold %d: answered %v", hold, got)
			}
			client.Close()
			var types []string
			for _, r := range srv.Records() {
				types = append(types, r.Type)
				if r.RepliesBefore != 0 {
					t.Errorf("%s after %d replies", r.Type, r.RepliesBefore)
				}
			}
			if got := strings.Join(types, " "); got != "session env env exec" {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

func TestReactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Handler: sshtest.Cat, OnRequest: sshtest.React(map[string]sshtest.Reaction{
			"keepalive@openssh.com": {Verdict: sshtest.Ignore},
			"accept":                {Verdict: sshtest.Accept, After: time.Minute},
			"exec":                  {Verdict: sshtest.Refuse},
		}), OnOpen: func(r sshtest.Record) sshtest.OpenReaction {
			switch r.Type {
			case "direct-tcpip":
				return sshtest.OpenReaction{Reason: ssh.ResourceShortage, Message: "no more"}
			case "lost":
				return sshtest.OpenReaction{Ignore: true}
			}
			return sshtest.OpenReaction{}
		}})
		nc, client, err := handshake(srv)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if ok, _, err := client.SendRequest("accept", true, nil); !ok || err != nil || time.Since(begin) != time.Minute {
			t.Errorf("accept: %v, %v after %v", ok, err, time.Since(begin))
		}
		if ok, _, err := client.SendRequest("unknown", true, nil); ok || err != nil {
			t.Errorf("unknown: %v, %v", ok, err)
		}
		if err := newSession(t, client).Run("x"); err == nil || !strings.Contains(err.Error(), "failed") {
			t.Errorf("exec: %v", err)
		}
		var refused *ssh.OpenChannelError
		if _, err := client.Dial("tcp", "192.0.2.1:1"); !errors.As(err, &refused) ||
			refused.Reason != ssh.ResourceShortage || refused.Message != "no more" {
			t.Errorf("direct-tcpip: %v", err)
		}
		if _, _, err := client.OpenChannel("other", nil); !errors.As(err, &refused) || refused.Reason != ssh.UnknownChannelType {
			t.Errorf("other: %v", err)
		}
		go func() { time.Sleep(time.Minute); nc.Close() }()
		begin = time.Now()
		if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("keepalive: %v after %v", err, time.Since(begin))
		}
	})
}

func TestChannelEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		exit sshtest.Exit
		want func(error) bool
	}{
		"status": {sshtest.Status(7), func(err error) bool {
			var e *ssh.ExitError
			return errors.As(err, &e) && e.ExitStatus() == 7
		}},
		"signal": {sshtest.Exit{Signal: "SEGV", CoreDumped: true}, func(err error) bool {
			var e *ssh.ExitError
			return errors.As(err, &e) && e.Signal() == "SEGV"
		}},
		"silent": {sshtest.Exit{Silent: true}, func(err error) bool {
			var e *ssh.ExitMissingError
			return errors.As(err, &e)
		}},
	} {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Handler: sshtest.Say("out", "err", tt.exit)})
		s := newSession(t, dial(t, srv, srv.Pipe(), srv.ClientConfig()))
		var stdout, stderr bytes.Buffer
		s.Stdout, s.Stderr = &stdout, &stderr
		if err := s.Run("x"); !tt.want(err) || stdout.String() != "out" || stderr.String() != "err" {
			t.Errorf("%s: %v, %q, %q", name, err, &stdout, &stderr)
		}
	}
}

func TestSessionLimits(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, MaxSessions: 1, Handler: sshtest.Deaf})
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	first := newSession(t, client)
	var refused *ssh.OpenChannelError
	if _, err := client.NewSession(); !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed || refused.Message != "open failed" {
		t.Errorf("second session: %v", err)
	}
	first.Close()
	if ok, _, err := client.SendRequest("no-more-sessions@openssh.com", true, nil); !ok || err != nil {
		t.Fatalf("no-more-sessions: %v, %v", ok, err)
	}
	if !srv.Conns()[0].NoMoreSessions() {
		t.Error("not noted")
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("session opened after no-more-sessions")
	}
	<-srv.Conns()[0].Done()
}

func TestServerAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, AliveInterval: time.Minute})
		_, client, err := handshake(srv)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		if sent, answered := srv.Conns()[0].Alive(); sent != 10 || answered != 10 {
			t.Errorf("%d sent, %d answered", sent, answered)
		}
		client.Close()

		// A client that reads no requests does not answer.
		nc := srv.Pipe()
		conn, _, _, err := ssh.NewClientConn(nc, srv.Addr(), srv.ClientConfig())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		conn.Wait()
		if d := time.Since(begin); d != 4*time.Minute {
			t.Errorf("given up after %v", d)
		}
	})
}

func TestWindowOfADeafHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Handler: sshtest.Deaf})
		_, client, err := handshake(srv)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(t, client)
		stdin, _ := s.StdinPipe()
		if err := s.Start("x"); err != nil {
			t.Fatal(err)
		}
		written := make(chan int, 1)
		go func() {
			n, _ := stdin.Write(make([]byte, 4<<20))
			written <- n
		}()
		synctest.Wait()
		select {
		case n := <-written:
			t.Errorf("wrote %d bytes", n)
		default:
		}
		client.Close()
		if n := <-written; n != 2<<20 {
			t.Errorf("the window took %d bytes", n)
		}
	})
}

func TestRekeyUnderAFlood(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Config: ssh.Config{RekeyThreshold: 64 << 10},
		Handler: sshtest.Flood(2<<20, 2<<20)})
	keys := 0
	config := srv.ClientConfig()
	check := config.HostKeyCallback
	config.HostKeyCallback = func(host string, addr net.Addr, key ssh.PublicKey) error {
		keys++
		return check(host, addr, key)
	}
	client := dial(t, srv, srv.Pipe(), config)
	s := newSession(t, client)
	var stderr bytes.Buffer
	s.Stderr = &stderr
	out, err := s.Output("x")
	if err != nil || len(out) != 2<<20 || stderr.Len() != 2<<20 {
		t.Errorf("%v, %d and %d bytes", err, len(out), stderr.Len())
	}
	client.Close()
	client.Wait()
	if keys < 3 {
		t.Errorf("%d key exchanges", keys)
	}
}

func TestTakeover(t *testing.T) {
	key := signer(t, ssh.KeyAlgoED25519)
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, HostKeys: []ssh.Signer{key}, Takeover: rawssh.Serve(key, func(_ context.Context, rc *rawssh.Conn) error {
		return rc.Send(rawssh.MsgUnimplemented, struct{ Sequence uint32 }{1})
	})})
	client := dial(t, srv, srv.Pipe(), srv.ClientConfig())
	if err := client.Wait(); err == nil {
		t.Error("no error")
	}
	srv = sshtest.NewServer(t, &sshtest.Options{NoListen: true, Takeover: func(_ context.Context, nc net.Conn) {
		io.WriteString(nc, "HTTP/1.0 400 Bad Request\r\n")
	}})
	nc := srv.Pipe()
	defer nc.Close()
	if b, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(b), "HTTP") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestHostKeyRotation(t *testing.T) {
	next := signer(t, ssh.KeyAlgoRSA)
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, AnnounceHostKeys: true, NextHostKeys: []ssh.Signer{next}})
	conn, chans, reqs, err := ssh.NewClientConn(srv.Pipe(), srv.Addr(), srv.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		for range chans {
		}
	}()
	req := <-reqs
	go ssh.DiscardRequests(reqs)
	blob := func(k ssh.PublicKey) []byte { return ssh.Marshal(struct{ B []byte }{k.Marshal()}) }
	if req.Type != "hostkeys-00@openssh.com" || !bytes.Equal(req.Payload, append(blob(srv.HostKey()), blob(next.PublicKey())...)) {
		t.Fatalf("got %s %x", req.Type, req.Payload)
	}
	ok, answer, err := conn.SendRequest("hostkeys-prove-00@openssh.com", true, blob(next.PublicKey()))
	var proof struct{ Signature []byte }
	var sig ssh.Signature
	if !ok || err != nil || ssh.Unmarshal(answer, &proof) != nil || ssh.Unmarshal(proof.Signature, &sig) != nil {
		t.Fatalf("proof: %v, %v", ok, err)
	}
	signed := ssh.Marshal(struct {
		Name          string
		Session, Blob []byte
	}{"hostkeys-prove-00@openssh.com", conn.SessionID(), next.PublicKey().Marshal()})
	if err := next.PublicKey().Verify(signed, &sig); err != nil || sig.Format != ssh.KeyAlgoRSASHA512 {
		t.Errorf("%s: %v", sig.Format, err)
	}
	if ok, _, _ := conn.SendRequest("hostkeys-prove-00@openssh.com", true, blob(signer(t, ssh.KeyAlgoED25519).PublicKey())); ok {
		t.Error("proved a key that is not its own")
	}
	if ok, _, _ := conn.SendRequest("hostkeys-prove-00@openssh.com", true, []byte{0, 0, 1, 0, 'x'}); ok {
		t.Error("answered a truncated request")
	}
}
