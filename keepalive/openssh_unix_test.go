//go:build unix

package keepalive

import (
	"crypto/ed25519"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// startSSHD runs OpenSSH's server on a socket pair and logs in.
func startSSHD(t *testing.T) (*exec.Cmd, *Conn, ssh.Conn) {
	t.Helper()
	const sshd = "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		needed(t, "no sshd")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	hostKey, keys := filepath.Join(dir, "host"), filepath.Join(dir, "keys")
	if err := os.WriteFile(hostKey, []byte(testHostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(sshd, "-i", "-e", "-f", "/dev/null", "-h", hostKey, "-o", "AuthorizedKeysFile="+keys,
		"-o", "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "UsePAM=no", "-o", "PidFile=none")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, os.Stderr
	// Unless it is root's and logs in root, a process of its own serves the
	// connection: the group is all of it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	netConn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	watched := WrapConn(netConn)
	t.Cleanup(func() { watched.Close() })
	config := clientConfig()
	config.User, config.Auth = me.Username, []ssh.AuthMethod{ssh.PublicKeys(signer)}
	theirs.Close() // so that a server that fails is seen to
	conn, chans, reqs, err := ssh.NewClientConn(watched, "test", config)
	if err != nil {
		needed(t, "this sshd cannot be logged in to: "+err.Error())
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for c := range chans {
			c.Reject(ssh.Prohibited, "no")
		}
	}()
	return cmd, watched, conn
}

// OpenSSH's server answers keepalive@openssh.com, with failure; when it is
// stopped, it is lost.
func TestOpenSSHServer(t *testing.T) {
	cmd, watched, conn := startSSHD(t)
	answered := make(chan struct{})
	probe := Start(conn, nil, Options{Interval: 10 * time.Millisecond, CountMax: 1000})
	go func() {
		for probe.Stats().SmoothedRTT == 0 {
			time.Sleep(time.Millisecond)
		}
		close(answered)
	}()
	select {
	case <-answered:
	case <-probe.Done():
		t.Fatalf("no answer: %v", probe.Err())
	}
	probe.Stop()

	m := Start(conn, watched, quick)
	start := time.Now()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	if err := conn.Wait(); err != m.Err() || err == nil {
		t.Errorf("Wait: %v, Err: %v", err, m.Err())
	}
	if got := time.Since(start); got < 300*time.Millisecond {
		t.Errorf("verdict after %v", got)
	}
}
