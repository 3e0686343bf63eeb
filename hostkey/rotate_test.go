//go:build unix

package hostkey

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// dial reaches the daemon through a socket pair.
func (d *daemon) dial(t *testing.T) net.Conn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "sshd"), "-i", "-f", d.config)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cmd.Wait()
	})
	return conn
}

// login connects to host with our Checker, and handles the announcement.
func (d *daemon) login(t *testing.T, c *Checker, target Target, algorithms []string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	algs, err := c.Algorithms(ctx, target, algorithms, true)
	if err != nil {
		return err
	}
	v := c.Verifier(ctx, target)
	whoever, err := user.Current()
	if err != nil {
		return err
	}
	conn, chans, requests, err := ssh.NewClientConn(d.dial(t), target.Host, &ssh.ClientConfig{
		User: whoever.Username, Auth: []ssh.AuthMethod{ssh.PublicKeys(d.client)},
		HostKeyAlgorithms: algs, HostKeyCallback: v.Callback,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	// sshd announces its keys right after the authentication.
	select {
	case r, ok := <-requests:
		if !ok || r.Type != "hostkeys-00@openssh.com" {
			return errors.New("sshd announced nothing")
		}
		err = c.Update(ctx, v, UpdateRequest{
			Payload: r.Payload, SessionID: conn.SessionID(), Algorithms: algs,
			HostKeyAlgorithm: conn.(ssh.AlgorithmsConnMetadata).Algorithms().HostKey,
			Prove: func(_ context.Context, payload []byte) ([]byte, error) {
				ok, reply, err := conn.SendRequest(proveRequest, true, payload)
				if err == nil && !ok {
					err = errors.New("refused")
				}
				return reply, err
			},
		})
	case <-ctx.Done():
		err = ctx.Err()
	}
	conn.Close()
	for range requests {
	}
	for ch := range chans {
		ch.Reject(ssh.Prohibited, "")
	}
	return err
}

// TestUpdateAgainstSSH has ssh and us connect to the same sshd with the same
// known_hosts; both files must be the same afterwards.
func TestUpdateAgainstSSH(t *testing.T) {
	ed, ed2, ecdsa, rsa := newSigner(t, "ed25519"), newSigner(t, "ed25519"), newSigner(t, "ecdsa"), newSigner(t, "rsa")
	gone := newKey(t, "ed25519")
	all := newDaemon(t, []ssh.Signer{ed, ecdsa, rsa, ed2})
	few := newDaemon(t, []ssh.Signer{ed})
	line := entryLine("a", ed.PublicKey())
	for _, tt := range []struct {
		name, file string
		d          *daemon
		port       int
		learns     bool
	}{
		{name: "learn", file: line, d: all, learns: true},
		{name: "learn by RSA", file: entryLine("a", rsa.PublicKey()), d: all, learns: true},
		{name: "learn at the end of a file", file: "# x\n\n" + line + entryLine("b", gone), d: all, learns: true},
		{name: "rotate", file: line + entryLine("a", gone) + entryLine("c", newKey(t, "ecdsa")), d: all, learns: true},
		{name: "retire", file: line + entryLine("a", gone), d: few, learns: true},
		{name: "nothing to do", file: line, d: few},
		{name: "port", file: entryLine("[a]:2222", ed.PublicKey()), d: all, port: 2222, learns: true},
		{name: "known without the port", file: line, d: all, port: 2222},
		{name: "wildcard", file: entryLine("*", ed.PublicKey()), d: all},
		{name: "list", file: entryLine("a,b", ed.PublicKey()), d: all, learns: true},
		{name: "long list", file: entryLine("a,b,c", ed.PublicKey()), d: all},
		{name: "marker", file: line + "@cert-authority a " + keyText(gone) + "\n", d: all},
		{name: "other name", file: line + entryLine("b", ecdsa.PublicKey()), d: all},
		{name: "old key elsewhere", file: line + entryLine("a", gone) + entryLine("b", gone), d: few},
		{name: "bad lines", file: "@bad\na ssh-ed25519 AAAA\n" + line + entryLine("a", gone), d: few, learns: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			theirs, ours := write(t, tt.file), write(t, tt.file)
			options := []string{"UserKnownHostsFile=" + theirs, "StrictHostKeyChecking=yes", "UpdateHostKeys=yes"}
			if tt.port != 0 {
				options = append(options, "Port=2222")
			}
			if out, err := tt.d.ssh(t, "a", options...); err != nil {
				t.Fatalf("ssh: %v\n%s", err, out)
			}
			c := NewChecker(Options{UserFiles: []string{ours}, Strict: StrictYes, UpdateHostKeys: UpdateYes})
			if err := tt.d.login(t, c, Target{Host: "a", Port: tt.port}, allAlgorithms()); err != nil {
				t.Fatal(err)
			}
			got, want := read(t, ours), read(t, theirs)
			if got != want {
				t.Errorf("file: %s", shortDiff(got, want))
			}
			if (want != tt.file) != tt.learns {
				t.Errorf("ssh changed the file: %v, expected %v", want != tt.file, tt.learns)
			}
		})
	}
}

// TestUpdateHashedAgainstSSH compares what the files say, for salts differ.
func TestUpdateHashedAgainstSSH(t *testing.T) {
	ed, ecdsa := newSigner(t, "ed25519"), newSigner(t, "ecdsa")
	d := newDaemon(t, []ssh.Signer{ed, ecdsa})
	hashed, err := newHashedName(NewChecker(Options{}).opts.Rand, "a")
	if err != nil {
		t.Fatal(err)
	}
	text := entryLine(hashed, ed.PublicKey())
	theirs, ours := write(t, text), write(t, text)
	if out, err := d.ssh(t, "a", "UserKnownHostsFile="+theirs, "UpdateHostKeys=yes", "HashKnownHosts=yes"); err != nil {
		t.Fatalf("ssh: %v\n%s", err, out)
	}
	c := NewChecker(Options{UserFiles: []string{ours}, UpdateHostKeys: UpdateYes, HashKnownHosts: true})
	if err := d.login(t, c, Target{Host: "a"}, allAlgorithms()); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{ours, theirs} {
		n := len(NewChecker(Options{UserFiles: []string{file}}).Lookup("a"))
		if text := read(t, file); n != 2 || strings.Count(text, "|1|") != 2 {
			t.Errorf("%d keys in:\n%s", n, text)
		}
	}
}
