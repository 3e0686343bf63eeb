//go:build linux

package opensshd_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runSSH runs the real client.
func runSSH(t *testing.T, srv *opensshd.Server, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("OpenSSH's ssh is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-F", srv.Config, "sshd"}, args...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ssh %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestDaemon(t *testing.T) {
	var pid string
	var srv *opensshd.Server
	t.Run("running", func(t *testing.T) {
		srv = opensshd.NewServer(t, &opensshd.Options{
			HostKeys: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256},
			Extra:    "SetEnv GREETING=hello\nMatch User nobody\n  ForceCommand false",
		})
		if got := runSSH(t, srv, "echo $GREETING"); got != "hello\n" {
			t.Errorf("got %q", got)
		}
		srv.WaitLog("Accepted publickey for " + srv.User)
		// A session that stays has to end with the server.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, "ssh", "-F", srv.Config, "sshd", "echo $$; exec sleep 1000")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Wait() })
		buf := make([]byte, 20)
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		pid = strings.TrimSpace(string(buf[:n]))
		if !alive(pid) {
			t.Fatalf("process %q does not run", pid)
		}
	})
	if t.Failed() || pid == "" {
		return
	}
	if err := syscall.Kill(srv.PID, 0); err == nil {
		t.Error("the daemon has survived its test")
	}
	// Killed processes of others than us are reaped by init, in its time.
	for range 100 {
		if !alive(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s has survived the server", pid)
}

// alive tells whether a process runs; a zombie does not.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestInetd(t *testing.T) {
	srv := opensshd.Prepare(t, nil)
	if got := runSSH(t, srv, "echo", "by proxy command"); got != "by proxy command\n" {
		t.Errorf("got %q", got)
	}
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(srv.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	conn, chans, reqs, err := ssh.NewClientConn(nc, "sshd", &ssh.ClientConfig{User: srv.User,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(srv.HostKeys[0])})
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(conn, chans, reqs)
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Output("echo by socket pair"); err != nil || string(out) != "by socket pair\n" {
		t.Errorf("got %q, %v", out, err)
	}
}
