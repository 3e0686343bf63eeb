//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestIdle(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{IdleTimeout: 50 * time.Millisecond})
	release := srv.Hold()
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	release()
	release() // once is enough, twice no harm
	select {
	case <-srv.Done():
		t.Fatal("idle during a session")
	case <-time.After(150 * time.Millisecond):
	}
	std.stdin.Close()
	if status, err := s.Wait(); status != 0 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	<-srv.Done()
	if !errors.Is(srv.Err(), mux.ErrIdle) {
		t.Errorf("ended with %v", srv.Err())
	}
}

// TestIdleForward: a forwarded connection keeps the master.
func TestIdleForward(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	srv := listen(t, conn, mux.ServerOptions{IdleTimeout: 50 * time.Millisecond})
	hold := srv.Hold()
	target := echo(t, "tcp", "127.0.0.1:0").Addr().String()
	spec := parseSpec(t, "127.0.0.1:1:"+target)
	spec.Listen.Port = freePort(t)
	asking := connect(t, srv.Path())
	if _, err := asking.OpenForward(patient(t), spec); err != nil {
		t.Fatal(err)
	}
	asking.Close()
	c, err := net.Dial("tcp", spec.Listen.String())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection", func() bool { return len(conn.Forwards().Forwards()[0].Snapshot().Conns) == 1 })
	hold()
	select {
	case <-srv.Done():
		t.Fatal("idle with a forwarded connection")
	case <-time.After(150 * time.Millisecond):
	}
	c.Close()
	<-srv.Done()
}

// TestIdleRace: whoever got in as the master expires is served.
func TestIdleRace(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	served := 0
	for range 15 {
		srv := listen(t, conn, mux.ServerOptions{IdleTimeout: 3 * time.Millisecond})
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 4 {
			wg.Go(func() {
				for {
					c, err := mux.Connect(context.Background(), srv.Path(), mux.ClientOptions{})
					if errors.Is(err, mux.ErrNoMaster) || errors.Is(err, mux.ErrStale) {
						return
					}
					if err != nil {
						t.Errorf("connected, but: %v", err)
						return
					}
					if _, err := c.Alive(context.Background()); err != nil {
						t.Errorf("greeted, but: %v", err)
					}
					mu.Lock()
					served++
					mu.Unlock()
					c.Close()
					time.Sleep(3 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		<-srv.Done()
		if !errors.Is(srv.Err(), mux.ErrIdle) {
			t.Errorf("ended with %v", srv.Err())
		}
	}
	if served == 0 {
		t.Error("nobody was served")
	}
}

// TestStop: sessions go on, and the server ends with the last.
func TestStop(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	asking := connect(t, srv.Path())
	if err := asking.Stop(patient(t)); err != nil {
		t.Fatal(err)
	}
	asking.Close()
	if _, err := mux.Connect(t.Context(), srv.Path(), mux.ClientOptions{}); !errors.Is(err, mux.ErrNoMaster) {
		t.Errorf("connected: %v", err)
	}
	std.stdin.WriteString("still here")
	std.stdin.Close()
	if status, err := s.Wait(); status != 0 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if got := std.stdout.String(); got != "still here" {
		t.Errorf("got %q", got)
	}
	<-srv.Done()
	if !errors.Is(srv.Err(), mux.ErrStopped) {
		t.Errorf("ended with %v", srv.Err())
	}
}

// TestOtherUser: neither a client nor a master of another user gets on, but
// with root.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	os.Chmod(srv.Path(), 0o777)
	dir := filepath.Dir(srv.Path())
	os.Chmod(dir, 0o777)
	program := filepath.Join(dir, "helper") // the test's own folder is closed to others
	if err := exec.Command("cp", os.Args[0], program).Run(); err != nil {
		t.Fatal(err)
	}
	as := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), helperVariable+"="+name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return cmd
	}
	out, err := as("session", srv.Path(), "echo in").CombinedOutput()
	if err == nil || !strings.Contains(string(out), mux.ErrMasterGone.Error()) {
		t.Errorf("another user: %v, %s", err, out)
	}
	begin := func(path string) {
		impostor := as("impostor", path)
		stdin, _ := impostor.StdinPipe()
		stdout, _ := impostor.StdoutPipe()
		if err := impostor.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close()
			impostor.Wait()
		})
		stdout.Read(make([]byte, 1))
	}
	begin(filepath.Join(dir, "impostor"))
	if _, err := mux.Connect(patient(t), filepath.Join(dir, "impostor"), mux.ClientOptions{}); !errors.Is(err, mux.ErrPeer) {
		t.Errorf("another user's master: %v", err)
	}
	os.Chmod(dir, 0o755)
	if _, err := mux.Connect(patient(t), filepath.Join(dir, "impostor"), mux.ClientOptions{}); !errors.Is(err, mux.ErrPeer) {
		t.Errorf("another user's master in root's folder: %v", err)
	}
	os.Chown(dir, 65534, 65534)
	if _, err := mux.Connect(patient(t), filepath.Join(dir, "impostor"), mux.ClientOptions{}); !errors.Is(err, mux.ErrPeer) {
		t.Errorf("another user's master in a folder that anybody can have made: %v", err)
	}
	// Root goes where ssh goes, if it is the user's own place. Nobody accepts.
	home, err := os.MkdirTemp("/run", "gossh")
	if err != nil {
		t.Skip("no folder that is root's alone")
	}
	defer os.RemoveAll(home)
	os.Chmod(home, 0o755)
	os.Chown(home, 65534, 65534)
	begin(filepath.Join(home, "impostor"))
	soon := mux.ClientOptions{HelloTimeout: 200 * time.Millisecond}
	if _, err := mux.Connect(patient(t), filepath.Join(home, "impostor"), soon); !errors.Is(err, mux.ErrTimeout) {
		t.Errorf("a user's master in the user's folder: %v", err)
	}
	os.Chmod(home, 0o775)
	if _, err := mux.Connect(patient(t), filepath.Join(home, "impostor"), soon); !errors.Is(err, mux.ErrPeer) {
		t.Errorf("a user's master in the group's folder: %v", err)
	}
}

// TestTerminalOfSSH: a real ssh in a terminal, as passenger of our master.
func TestTerminalOfSSH(t *testing.T) {
	opensshd.NeedTerminals(t)
	sshd := opensshd.NewServer(t, nil)
	client := &openSSH{needSSH(t), sshd.Config}
	srv := listen(t, dialSSHD(t, sshd), mux.ServerOptions{})
	cmd := client.command(patient(t), srv.Path(), "-tt", "sshd",
		"stty size; until stty size | grep '33 88'; do sleep 0.05; done; exit 5")
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 77, Rows: 22})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	out := &until{t: t, r: master}
	out.see("22 77")
	eventually(t, "the session", func() bool { return len(srv.Sessions()) == 1 })
	pty.Setsize(master, &pty.Winsize{Cols: 88, Rows: 33})
	srv.Resize() // ssh sends the SIGWINCH to this process, which ignores it
	out.see("33 88")
	out.see("Shared connection to")
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("%v", err)
	}
}

// until reads a terminal as far as a text.
type until struct {
	t    *testing.T
	r    io.Reader
	seen string
}

func (u *until) see(text string) {
	u.t.Helper()
	buf := make([]byte, 4096)
	for !strings.Contains(u.seen, text) {
		n, err := u.r.Read(buf)
		u.seen += string(buf[:n])
		if err != nil && !strings.Contains(u.seen, text) {
			u.t.Fatalf("%v before %q, after %q", err, text, u.seen)
		}
	}
}
