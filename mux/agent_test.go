//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

const agentExtension = "agent@gossh-project.github.io"

// brought is what a master heard of a session's agent.
type brought struct {
	ctx    context.Context
	socket string
}

func agentMaster(t *testing.T) (*mux.Server, <-chan brought) {
	heard := make(chan brought, 10)
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{
		ForwardAgent: func(ctx context.Context, socket string) bool { heard <- brought{ctx, socket}; return true },
	})
	return srv, heard
}

// TestAgentSocket: the path of a client's agent reaches the master, whose
// context for it ends with the session.
func TestAgentSocket(t *testing.T) {
	srv, heard := agentMaster(t)
	const longest = 107
	for _, socket := range []string{"", "/a b/s", "/" + strings.Repeat("x", longest-1)} {
		c, err := mux.Connect(patient(t), srv.Path(), mux.ClientOptions{AgentSocket: socket})
		if err != nil {
			t.Fatal(err)
		}
		if !c.TakesAgent() {
			t.Error("the master does not say that it takes agents")
		}
		std := newStdio(t)
		s, err := c.NewSession(patient(t), mux.SessionRequest{Command: "cat", Agent: true}, std.fds())
		if err != nil {
			t.Fatal(err)
		}
		std.closeOurs()
		got := <-heard
		if got.socket != socket || got.ctx.Err() != nil {
			t.Errorf("%q: the master heard %q, %v", socket, got.socket, got.ctx.Err())
		}
		std.stdin.Close()
		s.Wait()
		select {
		case <-got.ctx.Done():
		case <-time.After(patience):
			t.Error("the context outlives the session")
		}
	}
	for _, socket := range []string{"agent", "@abstract", "/a\x00b", "/" + strings.Repeat("x", longest)} {
		if c, err := mux.Connect(patient(t), srv.Path(), mux.ClientOptions{AgentSocket: socket}); !errors.Is(err, mux.ErrAgentSocket) {
			t.Errorf("%q is sent: %v, %v", socket, c, err)
		}
	}
}

// TestAgentSocketHostile: what is no path is not given on, and costs the
// client nothing but its agent.
func TestAgentSocketHostile(t *testing.T) {
	srv, heard := agentMaster(t)
	for name, tt := range map[string]struct {
		pairs []string
		want  string
	}{
		"good":               {[]string{agentExtension, "/s"}, "/s"},
		"not the only one":   {[]string{"info", "0", "x@y", "\x00", agentExtension, "/s"}, "/s"},
		"empty":              {[]string{agentExtension, ""}, ""},
		"relative":           {[]string{agentExtension, "s"}, ""},
		"variable":           {[]string{agentExtension, "$SSH_AUTH_SOCK"}, ""},
		"home":               {[]string{agentExtension, "~/s"}, ""},
		"abstract":           {[]string{agentExtension, "\x00s"}, ""},
		"NUL":                {[]string{agentExtension, "/s\x00/t"}, ""},
		"too long":           {[]string{agentExtension, "/" + strings.Repeat("x", 107)}, ""},
		"far too long":       {[]string{agentExtension, "/" + strings.Repeat("x", 100_000)}, ""},
		"twice":              {[]string{agentExtension, "/first", agentExtension, "/second"}, "/first"},
		"second after a bad": {[]string{agentExtension, "bad", agentExtension, "/second"}, ""},
		"name in capitals":   {[]string{strings.ToUpper(agentExtension), "/s"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, srv.Path())
			hello := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 1), 4)
			for _, s := range tt.pairs {
				hello = append(binary.BigEndian.AppendUint32(hello, uint32(len(s))), s...)
			}
			r.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello))), hello...))
			r.say(0x10000002, 5, 0, 0, 0, 1, 0, 0xffffffff, 0, 0) // a session with an agent
			for range 3 {
				r.pass(1)
			}
			go io.Copy(io.Discard, r) // ends with the connection
			select {
			case got := <-heard:
				if got.socket != tt.want {
					t.Errorf("heard %q, want %q", got.socket, tt.want)
				}
			case <-time.After(patience):
				t.Error("there was no session")
			}
			r.Close()
		})
	}
}

// TestAgentSocketOfSSH: OpenSSH's master passes over the extension, and does
// not have it.
func TestAgentSocketOfSSH(t *testing.T) {
	client := &openSSH{program: needSSH(t)}
	sshd := opensshd.NewServer(t, nil)
	client.config = sshd.Config
	path, _, _ := masters(sshd, client)[0].start(t)
	c, err := mux.Connect(patient(t), path, mux.ClientOptions{AgentSocket: filepath.Join(shortDir(t), "agent")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.TakesAgent() {
		t.Error("OpenSSH's master says that it takes agents")
	}
	std := newStdio(t)
	s, err := c.NewSession(patient(t), mux.SessionRequest{Command: "echo here; exit 3", Agent: true}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	if status, err := s.Wait(); status != 3 || err != nil || std.stdout.String() != "here\n" {
		t.Errorf("status %d, %v, %q", status, err, std.stdout)
	}
}
