package client

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
)

// shortDir is a folder whose name fits into a socket's address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestDialThroughMaster(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	s := newSetup(t, sshtest.Options{}, "ControlPath "+socket)
	first := s.mustDial(t) // there is no master yet
	master, err := mux.Listen(t.Context(), socket, first, mux.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()

	second := s.mustDial(t)
	out, err := second.Command(testContext(t), "echo shared; exit 5").Output()
	var exit *session.ExitError
	if string(out) != "shared\n" || !errors.As(err, &exit) || exit.Status != 5 {
		t.Errorf("%q, %v", out, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := second.DialContext(testContext(t), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if n := len(s.srv.Conns()); n != 1 {
		t.Errorf("%d connections to the server", n)
	}
	second.Close()
	if _, err := first.Command(testContext(t), "true").Output(); err != nil {
		t.Errorf("the master's connection went with its client's: %v", err)
	}

	s.opts.OwnConnection = true
	s.mustDial(t)
	if _, err := s.srv.WaitConn(testContext(t), 2); err != nil {
		t.Errorf("OwnConnection: %d connections to the server", len(s.srv.Conns()))
	}
}

func TestMasterEndsUnderItsClient(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	s := newSetup(t, sshtest.Options{}, "ControlPath "+socket)
	first := s.mustDial(t)
	master, err := mux.Listen(t.Context(), socket, first, mux.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second := s.mustDial(t)
	cmd := second.Command(testContext(t), "sleep 100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	master.Close()
	if err := cmd.Wait(); err == nil || errors.Is(err, session.ErrNoStatus) {
		t.Errorf("the command ended with %v", err)
	}
	if err := second.Wait(); err == nil || !strings.Contains(err.Error(), "connection") {
		t.Errorf("Err %v", err)
	}
}

func TestDialPassesByWhatIsNoMaster(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("this is not the protocol of a master"))
			conn.Close()
		}
	}()
	s := newSetup(t, sshtest.Options{}, "ControlPath "+socket)
	c := s.mustDial(t)
	if _, err := c.Command(context.Background(), "true").Output(); err != nil {
		t.Error(err)
	}
}
