package client

import (
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshconfig"
)

// ChannelTimeout of ssh_config(5) closes a channel that has carried no data for
// the interval of its type.

// channelTimeouts are the rules of a connection, of which the first that matches
// a type applies, and the time of the last data on any channel, for the type
// "global".
type channelTimeouts struct {
	rules []sshconfig.ChannelTimeout
	all   idleTime
}

// idleTime measures the time without data against a limit.
type idleTime struct {
	start time.Time
	last  atomic.Int64 // the time of the last data, since start
	limit atomic.Int64 // a time.Duration; zero means no limit
}

func (i *idleTime) touch() { i.last.Store(int64(time.Since(i.start))) }

// left returns the time until the limit is reached.
func (i *idleTime) left() (left time.Duration, limited bool) {
	limit := time.Duration(i.limit.Load())
	return limit + time.Duration(i.last.Load()) - time.Since(i.start), limit > 0
}

// newChannelTimeouts returns nil if there are no rules.
func newChannelTimeouts(rules []sshconfig.ChannelTimeout) *channelTimeouts {
	if len(rules) == 0 {
		return nil
	}
	t := &channelTimeouts{rules: rules}
	t.all.start = time.Now()
	for _, rule := range rules {
		if rule.Type == "global" {
			t.all.limit.Store(int64(rule.Interval))
			break
		}
	}
	return t
}

// interval returns the interval of a channel type, or zero if there is none.
func (t *channelTimeouts) interval(channelType string) time.Duration {
	for _, rule := range t.rules {
		if rule.Matches(channelType) {
			return rule.Interval
		}
	}
	return 0
}

// timeoutType returns the name that ssh_config has for a channel type. That of a
// session depends on its first request.
func timeoutType(wire string) string {
	switch wire {
	case "auth-agent@openssh.com":
		return "agent-connection"
	case "x11":
		return "x11-connection"
	case "direct-streamlocal@openssh.com", "forwarded-streamlocal@openssh.com":
		name, _, _ := strings.Cut(wire, "@")
		return name
	}
	return wire
}

// timedChannel is a channel that is closed when it has carried no data for its
// interval.
type timedChannel struct {
	ssh.Channel
	rules *channelTimeouts
	own   idleTime // has no limit until the type is known
	timer *time.Timer
}

// watchChannel returns ch with its timeout, if a rule may apply. The timer ends
// with the channel or when it expires.
func (t *channelTimeouts) watchChannel(ch ssh.Channel, wire string) ssh.Channel {
	if t == nil {
		return ch
	}
	c := &timedChannel{Channel: ch, rules: t}
	c.own.start = time.Now()
	c.timer = time.AfterFunc(time.Hour, c.expire)
	c.timer.Stop()
	t.all.touch()
	if wire == "session" {
		c.arm(0)
	} else {
		c.arm(t.interval(timeoutType(wire)))
	}
	return c
}

func (c *timedChannel) arm(interval time.Duration) {
	c.own.limit.Store(int64(interval))
	c.own.touch()
	c.expire()
}

// expire closes the channel, or restarts the timer if there is time left.
func (c *timedChannel) expire() {
	left, limited := c.own.left()
	if all, ok := c.rules.all.left(); ok && (!limited || all < left) {
		left, limited = all, true
	}
	switch {
	case !limited:
	case left > 0:
		c.timer.Reset(left)
	default:
		c.Channel.Close()
	}
}

func (c *timedChannel) passed(n int, err error) (int, error) {
	if n > 0 {
		c.own.touch()
		c.rules.all.touch()
	}
	return n, err
}

func (c *timedChannel) Read(p []byte) (int, error)  { return c.passed(c.Channel.Read(p)) }
func (c *timedChannel) Write(p []byte) (int, error) { return c.passed(c.Channel.Write(p)) }

// Stderr returns the extended data, which counts as data of the channel.
func (c *timedChannel) Stderr() io.ReadWriter { return timedStderr{c, c.Channel.Stderr()} }

type timedStderr struct {
	c  *timedChannel
	rw io.ReadWriter
}

func (s timedStderr) Read(p []byte) (int, error)  { return s.c.passed(s.rw.Read(p)) }
func (s timedStderr) Write(p []byte) (int, error) { return s.c.passed(s.rw.Write(p)) }

func (c *timedChannel) Close() error {
	c.timer.Stop()
	return c.Channel.Close()
}

// SendRequest also determines the type of a session.
func (c *timedChannel) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	switch name {
	case "shell":
		c.arm(c.rules.interval("session:shell"))
	case "exec":
		c.arm(c.rules.interval("session:command"))
	case "subsystem":
		var msg struct{ Name string }
		ssh.Unmarshal(payload, &msg)
		c.arm(c.rules.interval("session:subsystem:" + msg.Name))
	}
	return c.Channel.SendRequest(name, wantReply, payload)
}

// timedNewChannel is a channel that the server opens. It gets its timeout when
// it is accepted.
type timedNewChannel struct {
	ssh.NewChannel
	rules *channelTimeouts
}

func (n timedNewChannel) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := n.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	return n.rules.watchChannel(ch, n.ChannelType()), reqs, nil
}
