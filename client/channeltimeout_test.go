package client

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// idleChannel is a channel over which things pass when the test says so.
type idleChannel struct {
	ssh.Channel
	closed atomic.Int64 // Unix nanoseconds
}

func (c *idleChannel) Read(p []byte) (int, error)  { return len(p), nil }
func (c *idleChannel) Write(p []byte) (int, error) { return len(p), nil }
func (c *idleChannel) Close() error                { c.closed.Store(time.Now().UnixNano()); return nil }
func (c *idleChannel) SendRequest(string, bool, []byte) (bool, error) {
	return true, nil
}

func TestChannelTimeout(t *testing.T) {
	rules := newChannelTimeouts([]sshconfig.ChannelTimeout{
		{Type: "direct-tcpip", Interval: 10 * time.Second},
		{Type: "session:subsystem:sftp", Interval: 20 * time.Second},
		{Type: "session:*", Interval: 30 * time.Second},
		{Type: "agent-connection", Interval: 0},
	})
	for _, test := range []struct {
		name string
		wire string
		use  func(ch ssh.Channel)
		want time.Duration // after the beginning; 0 for never
	}{
		{"silent", "direct-tcpip", func(ssh.Channel) {}, 10 * time.Second},
		{"a byte at 9 s", "direct-tcpip", func(ch ssh.Channel) {
			time.Sleep(9 * time.Second)
			ch.Write([]byte{1})
		}, 19 * time.Second},
		{"heard at 9 s, and at 18 s", "direct-tcpip", func(ch ssh.Channel) {
			for range 2 {
				time.Sleep(9 * time.Second)
				ch.Read(make([]byte, 1))
			}
		}, 28 * time.Second},
		{"a session that runs nothing", "session", func(ssh.Channel) {}, 0},
		{"a command", "session", func(ch ssh.Channel) { ch.SendRequest("exec", true, nil) }, 30 * time.Second},
		{"sftp", "session", func(ch ssh.Channel) {
			ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
		}, 20 * time.Second},
		{"a subsystem that is a path", "session", func(ch ssh.Channel) {
			ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"/usr/lib/x"}))
		}, 30 * time.Second},
		{"no limit", "auth-agent@openssh.com", func(ssh.Channel) {}, 0},
		{"no rule", "forwarded-tcpip", func(ssh.Channel) {}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, below := time.Now(), &idleChannel{}
				ch := rules.watchChannel(below, test.wire)
				test.use(ch)
				time.Sleep(time.Minute)
				got := time.Duration(0)
				if at := below.closed.Load(); at != 0 {
					got = time.Unix(0, at).Sub(began)
				}
				if got != test.want {
					t.Errorf("closed after %v, want %v", got, test.want)
				}
				ch.Close()
			})
		})
	}
}

// TestGlobalChannelTimeout: traffic over any channel keeps all alive, but for
// those that have a rule of their own.
func TestGlobalChannelTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := newChannelTimeouts([]sshconfig.ChannelTimeout{
			{Type: "direct-tcpip", Interval: 4 * time.Second},
			{Type: "global", Interval: 10 * time.Second},
		})
		began := time.Now()
		time.Sleep(time.Minute) // nothing is open
		var below [3]idleChannel
		silent := rules.watchChannel(&below[0], "session")
		busy := rules.watchChannel(&below[1], "forwarded-tcpip")
		own := rules.watchChannel(&below[2], "direct-tcpip")
		time.Sleep(9 * time.Second)
		busy.Write([]byte{1})
		time.Sleep(time.Minute)
		for i, want := range []time.Duration{79 * time.Second, 79 * time.Second, 64 * time.Second} {
			if got := time.Unix(0, below[i].closed.Load()).Sub(began); got != want {
				t.Errorf("channel %d closed after %v, want %v", i, got, want)
			}
		}
		for _, ch := range []ssh.Channel{silent, busy, own} {
			ch.Close()
		}
	})
}

func TestChannelTimeoutEndsACommand(t *testing.T) {
	s := newSetup(t, sshtest.Options{}, "ChannelTimeout session:command=1s")
	err := s.mustDial(t).Command(testContext(t), "sleep 100").Run()
	var exit *session.ExitError
	if !errors.Is(err, session.ErrNoStatus) && !errors.As(err, &exit) {
		t.Errorf("%v, want the end of the channel", err)
	}
}

func TestNoTimeoutNoWrapper(t *testing.T) {
	below := &idleChannel{}
	if ch := newChannelTimeouts(nil).watchChannel(below, "session"); ch != ssh.Channel(below) {
		t.Error("wrapped without a rule")
	}
	if d := newChannelTimeouts([]sshconfig.ChannelTimeout{{Type: "global"}, {Type: "*", Interval: time.Second}}).interval("x11-connection"); d != time.Second {
		t.Errorf("interval %v", d)
	}
}
