package client

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/sshtest"
)

// TestNoMethodsNamed has a server that refuses without naming the methods that
// can continue: all that are preferred are tried, in their order.
func TestNoMethodsNamed(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	methods := make(chan []string, 1)
	go func() {
		var seen []string
		defer func() { methods <- seen }()
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		rc, err := rawssh.Accept(nc, s.srv.HostKeys()[0], "SSH-2.0-odd")
		if err != nil || rc.AcceptService() != nil {
			return
		}
		for {
			r, err := rc.ReadAuthRequest()
			if err != nil {
				return
			}
			seen = append(seen, r.Method)
			if r.Method == "password" && strings.HasSuffix(string(r.Rest), "secret") {
				rc.Send(rawssh.MsgUserAuthSuccess, nil)
				rc.ReadPacket()
				return
			}
			rc.Send(rawssh.MsgUserAuthFailure, struct {
				Methods []string
				Partial bool
			}{})
		}
	}()
	s.opts.NetDial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
	}
	s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) { return "secret", nil }}
	c, err := s.dial(t)
	if err == nil {
		c.Close()
	}
	ln.Close()
	seen := <-methods
	if err != nil || !slices.Equal(seen, []string{"none", "publickey", "keyboard-interactive", "password"}) {
		t.Errorf("tried %q: %v", seen, err)
	}
}

// TestNoticeBeforeIdentification has a server that greets people at length.
func TestNoticeBeforeIdentification(t *testing.T) {
	notice := strings.Repeat(strings.Repeat("#", 2000)+"\r\n", 100) + strings.Repeat("x", 8192) + "\n\r\n"
	newSetup(t, sshtest.Options{PreVersion: notice}).mustDial(t)
}
