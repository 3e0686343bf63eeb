//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/internal/sshtest/opensshd"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/mux"
)

// TestProxyGlobalRequests: what a program asks of the connection does not end
// it, though OpenSSH's master hangs up at such requests.
func TestProxyGlobalRequests(t *testing.T) {
	sshd := opensshd.New(t, opensshd.Options{})
	for _, m := range masters(sshd, &openSSH{program: needSSH(t), config: sshd.Config}) {
		t.Run(m.name, func(t *testing.T) {
			path, _, _ := m.start(t)
			c, err := mux.Dial(patient(t), path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, wantReply := range []bool{true, false} {
				ok, _, err := c.SendRequest("keepalive@openssh.com", wantReply, nil)
				if ok || err != nil {
					t.Errorf("keepalive, reply wanted %v: %v, %v", wantReply, ok, err)
				}
			}
			ln, err := c.Listen("tcp", "127.0.0.1:0")
			if ours := m.name == "gossh"; (err == nil) != ours {
				t.Errorf("Listen: %v", err)
			}
			if err == nil {
				ln.Close()
			}
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if out, err := s.Output("echo alive"); string(out) != "alive\n" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}

// TestProxyLifeSign: the keepalive of a connection through OpenSSH's master is
// the server's answer, and its end that of the master.
func TestProxyLifeSign(t *testing.T) {
	sshd := opensshd.New(t, opensshd.Options{})
	m := masters(sshd, &openSSH{program: needSSH(t), config: sshd.Config})[0]
	path, pid, ended := m.start(t)
	c, err := mux.Dial(patient(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mon := keepalive.Start(c, nil, keepalive.Options{Interval: 50 * time.Millisecond, CountMax: 1000})
	defer mon.Stop()
	eventually(t, "answers", func() bool { return mon.Stats().RTT > 0 })
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ended
	if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err == nil {
		t.Error("an answer without a master")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	select {
	case <-mon.Done():
	case <-ctx.Done():
		t.Error("the monitor goes on")
	}
}
