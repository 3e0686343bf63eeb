//go:build unix

package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// agentReport is a session's program: it tells what the server can do with the
// agent.
func agentReport(s *sshtest.Session) sshtest.Exit {
	if !s.AgentForwarding {
		fmt.Fprint(s, "not asked")
		return sshtest.Exit{}
	}
	a, ch, err := s.Conn.OpenAgent()
	if err != nil {
		fmt.Fprintf(s, "dead socket: %v", err)
		return sshtest.Exit{}
	}
	defer ch.Close()
	keys, err := a.List()
	if err != nil {
		fmt.Fprintf(s, "dead agent: %v", err)
		return sshtest.Exit{}
	}
	for _, k := range keys {
		fmt.Fprintf(s, "%s;", k.Comment)
	}
	return sshtest.Exit{}
}

// TestSessionForwardsAgent: a session that asks for the agent has one that
// answers, or none is offered to the server's programs.
func TestSessionForwardsAgent(t *testing.T) {
	keyring := agent.NewKeyring()
	for _, comment := range []string{"one", "two"} {
		key, err := sshtest.NewKey("ssh-ed25519")
		if err != nil {
			t.Fatal(err)
		}
		if err := keyring.Add(agent.AddedKey{PrivateKey: key, Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	socket := listenAgent(t, func(nc net.Conn) { agent.ServeAgent(keyring, nc) })
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	at := func(path string) agentfwd.Source { return agentfwd.Source{Kind: agentfwd.SourcePath, Value: path} }
	two, err := agentfwd.NewKeySet("two")
	if err != nil {
		t.Fatal(err)
	}
	own := func(t *testing.T, c *Client) {
		f := agentfwd.NewForwarder(agentfwd.ForwarderConfig{Source: at(socket)})
		t.Cleanup(func() { f.Close() })
		f.Allow()
		if !c.HandleChannelOpen(agentfwd.ChannelType, f.ServeChannel) {
			t.Error("the type has a handler already")
		}
	}
	for _, c := range []struct {
		name   string
		lines  []string
		before func(*testing.T, *Client)
		want   string
		option *agentfwd.ForwarderConfig
	}{
		{"AgentForward", []string{"ForwardAgent no", "IdentityAgent none"}, nil, "one;two;", &agentfwd.ForwarderConfig{Source: at(socket)}},
		{"AgentForward with a policy", []string{"ForwardAgent yes", "IdentityAgent " + socket}, nil, "two;",
			&agentfwd.ForwarderConfig{Source: at(socket), Policy: &agentfwd.Policy{Keys: two}}},
		{"AgentForward without an agent", []string{"ForwardAgent yes", "IdentityAgent " + socket}, nil, "not asked",
			&agentfwd.ForwarderConfig{Source: agentfwd.Source{Kind: agentfwd.SourceNone}}},
		{"ForwardAgent yes", []string{"ForwardAgent yes", "IdentityAgent " + socket}, nil, "one;two;", nil},
		{"ForwardAgent socket", []string{"ForwardAgent " + socket, "IdentityAgent none"}, nil, "one;two;", nil},
		{"no agent", []string{"ForwardAgent yes", "IdentityAgent none"}, nil, "not asked", nil},
		{"nobody at the socket", []string{"ForwardAgent " + filepath.Join(dir, "nothing")}, nil, "not asked", nil},
		{"ForwardAgent no", []string{"ForwardAgent no", "IdentityAgent " + socket}, nil, "not asked", nil},
		{"a handler of one's own", []string{"ForwardAgent no"}, own, "one;two;", nil},
		{"ForwardAgentKeys", []string{"ForwardAgent yes", "IdentityAgent " + socket, "ForwardAgentKeys two"}, nil, "two;", nil},
		{"ForwardAgentLog", []string{"ForwardAgent yes", "IdentityAgent " + socket, "ForwardAgentLog " + log}, nil, "one;two;", nil},
		{"ForwardAgentConfirm and nobody to ask", []string{"ForwardAgent yes", "IdentityAgent " + socket, "ForwardAgentConfirm yes"}, nil, "not asked", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Handler: agentReport})
			for _, line := range c.lines {
				s.opts.ConfigOptions.CommandLine = append(s.opts.ConfigOptions.CommandLine, sshconfig.Option(line))
			}
			s.opts.AgentForward = c.option
			conn := s.mustDial(t)
			if c.before != nil {
				c.before(t, conn)
			}
			for range 2 { // the second session has the same
				cmd := conn.Command(testContext(t), "x")
				cmd.ForwardAgent = true
				if out, err := cmd.Output(); err != nil || string(out) != c.want {
					t.Errorf("%q, %v; want %q", out, err, c.want)
				}
			}
		})
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("no log: %v", err)
	}
}

// changedHostKey makes known_hosts say another key of the server than it has.
func (s *setup) changedHostKey(t *testing.T, srv *sshtest.Server, lines ...string) {
	t.Helper()
	signer, err := sshtest.NewKey("ssh-ed25519")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	known := s.write(t, "changed", fmt.Sprintf("[127.0.0.1]:%d %s", srv.Port(), ssh.MarshalAuthorizedKey(key)))
	s.configure(t, s.opts.ConfigOptions.UserFile, append(lines, "StrictHostKeyChecking no", "UserKnownHostsFile "+known)...)
}

// TestRestricted: with a host key that has changed, and was let pass, nothing is
// forwarded, while programs run.
func TestRestricted(t *testing.T) {
	keyring := agent.NewKeyring()
	socket := listenAgent(t, func(nc net.Conn) { agent.ServeAgent(keyring, nc) })
	opened := make(chan error, 1)
	s := newSetup(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		_, _, err := s.Conn.OpenAgent()
		opened <- err
		return agentReport(s)
	}})
	s.changedHostKey(t, s.srv, "ForwardAgent yes", "IdentityAgent "+socket)
	c := s.mustDial(t)
	if !c.Restricted() {
		t.Fatal("not restricted")
	}
	ctx := testContext(t)
	if conn, err := c.DialContext(ctx, "tcp", s.srv.Addr()); !errors.Is(err, ErrRestricted) {
		t.Errorf("DialContext: %v, %v", conn, err)
	}
	if ln, err := c.Listen(ctx, "tcp", "127.0.0.1:0"); !errors.Is(err, ErrRestricted) {
		t.Errorf("Listen: %v, %v", ln, err)
	}
	for _, kind := range []forward.Kind{forward.Local, forward.Remote, forward.Dynamic} {
		spec := forward.Spec{Kind: kind, Listen: forward.Addr{Host: "127.0.0.1"}, Connect: forward.Addr{Host: "127.0.0.1", Port: s.srv.Port()}}
		if fwd, err := c.Forwards().Open(ctx, spec, forward.Options{}); !errors.Is(err, ErrRestricted) {
			t.Errorf("%v: %v, %v", kind, fwd, err)
		}
	}
	cmd := c.Command(ctx, "x")
	cmd.ForwardAgent, cmd.X11 = true, &session.X11{AuthProtocol: "MIT-MAGIC-COOKIE-1", AuthCookie: "00"}
	if out, err := cmd.Output(); err != nil || string(out) != "not asked" {
		t.Errorf("a session: %q, %v", out, err)
	}
	var refused *ssh.OpenChannelError
	if err := <-opened; !errors.As(err, &refused) || refused.Reason != ssh.Prohibited {
		t.Errorf("a channel of the server: %v", err)
	}
}

// TestRestrictedHop: a jump host with a changed key is still a way, as it is with
// ssh's -W.
func TestRestrictedHop(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	hop := sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{Name: "test", None: true}}})
	good, err := os.ReadFile(filepath.Join(s.dir, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	s.changedHostKey(t, hop, "Match originalhost hop", "HostName 127.0.0.1", fmt.Sprintf("Port %d", hop.Port()), "User test",
		"Match originalhost sshtest", "ProxyJump hop", "Match all")
	known := filepath.Join(s.dir, "changed")
	text, _ := os.ReadFile(known)
	os.WriteFile(known, append(text, good...), 0o600)
	c := s.mustDial(t)
	if c.Restricted() {
		t.Error("the target is restricted, too")
	}
	if through := c.NetConn().(*jumpConn); !through.hop.Restricted() {
		t.Error("the hop is not restricted")
	}
}
