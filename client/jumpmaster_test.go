package client

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// jumpSetup is a target behind a jump host named hop, whose ControlPath is
// returned.
func jumpSetup(t *testing.T, lines ...string) (s *setup, hop *sshtest.Server, socket string) {
	t.Helper()
	s = newSetup(t, sshtest.Options{})
	hop = sshtest.NewServer(t, nil)
	files, err := hop.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(shortDir(t), "s")
	s.configure(t, s.opts.ConfigOptions.UserFile, append([]string{
		"Match originalhost hop", "HostName 127.0.0.1", fmt.Sprintf("Port %d", hop.Port()), "User test", "ControlPath " + socket,
		"IdentityFile " + files.Identity, "UserKnownHostsFile " + files.KnownHosts, "Match originalhost sshtest", "ProxyJump hop", "Match all",
	}, lines...)...)
	return s, hop, socket
}

// TestJumpPassesBySilentMaster has a jump host's master that accepts clients and
// says nothing. It costs its own time, and none of the target's.
func TestJumpPassesBySilentMaster(t *testing.T) {
	s, _, socket := jumpSetup(t, "ConnectTimeout 1")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.mustDial(t)
	if e, ok := hasEvent[MasterUnusable](s); !ok || e.Path != socket || !errors.Is(e.Err, mux.ErrTimeout) {
		t.Errorf("event %+v", e)
	}
}

// TestJumpPassesByStuckMaster has a jump host's master whose server answers
// nothing any more.
func TestJumpPassesByStuckMaster(t *testing.T) {
	s, hop, socket := jumpSetup(t, "ConnectTimeout 4")
	stuck := newSetup(t, sshtest.Options{OnOpen: func(sshtest.Record) sshtest.OpenReaction { return sshtest.OpenReaction{Ignore: true} }})
	master, err := mux.Listen(t.Context(), socket, stuck.mustDial(t), mux.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	s.mustDial(t)
	if e, ok := hasEvent[MasterUnusable](s); !ok || !errors.Is(e.Err, ErrMasterSilent) {
		t.Errorf("event %+v", e)
	}
	if n := len(hop.Conns()); n != 1 {
		t.Errorf("%d connections to the jump host", n)
	}
}

// TestJumpProgram runs the program only for a jump host that is to become a
// master and has none yet.
func TestJumpProgram(t *testing.T) {
	s, hop, socket := jumpSetup(t, "ControlMaster auto")
	s.opts.JumpProgram = []string{"/bin/sh", "-c", `echo "not 'the' program" >&2; exit 1`}
	var broken *ConnError
	if _, err := s.dial(t); !errors.As(err, &broken) || broken.Jump != "" || len(hop.Conns()) != 0 {
		t.Errorf("got %v, and %d connections to the jump host", err, len(hop.Conns()))
	}

	other := newSetup(t, sshtest.Options{})
	master, err := mux.Listen(t.Context(), socket, other.mustDial(t), mux.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	s.mustDial(t)
	if _, err := other.srv.WaitRecord(testContext(t), sshtest.Open, "direct-tcpip"); err != nil {
		t.Error("not through the master:", err)
	}
}
