package rawssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/rawssh"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hostKey(t *testing.T) ssh.Signer {
	t.Helper()
	k, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serveCommand is a server that answers one command, with a change of keys in
// the middle and data behind the EOF.
func serveCommand(nc net.Conn, key ssh.Signer) error {
	defer nc.Close()
	c, err := rawssh.Accept(nc, key, "")
	if err != nil {
		return err
	}
	r, err := c.Authenticate()
	if err != nil {
		return err
	}
	ch, err := c.AcceptChannel()
	if err != nil {
		return err
	}
	for {
		p, err := c.ReadUntil(rawssh.MsgChannelRequest)
		if err != nil {
			return err
		}
		if strings.Contains(string(p), "exec") {
			break
		}
	}
	if err := c.Rekey(); err != nil {
		return err
	}
	return errors.Join(
		ch.Send(rawssh.MsgChannelSuccess),
		ch.Data([]byte("hello "+r.User)),
		ch.Send(rawssh.MsgChannelEOF),
		ch.Request("exit-status", false, []byte{0, 0, 0, 5}),
		ch.Send(rawssh.MsgChannelClose),
		drain(c),
	)
}

func drain(c *rawssh.Conn) error {
	for {
		if _, err := c.ReadPacket(); err != nil {
			return nil
		}
	}
}

func TestXCryptoClient(t *testing.T) {
	key := hostKey(t)
	client, server := faultnet.Pipe()
	served := make(chan error, 1)
	go func() { served <- serveCommand(server, key) }()
	conn, chans, reqs, err := ssh.NewClientConn(client, "sshd", &ssh.ClientConfig{User: "jo",
		Auth: []ssh.AuthMethod{ssh.Password("any")}, HostKeyCallback: ssh.FixedHostKey(key.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	c := ssh.NewClient(conn, chans, reqs)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Output("anything")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 5 || string(out) != "hello jo" {
		t.Errorf("got %q, %v", out, err)
	}
	c.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestDisconnect(t *testing.T) {
	key := hostKey(t)
	client, server := faultnet.Pipe()
	served := make(chan error, 1)
	go func() {
		defer server.Close()
		c, err := rawssh.Greet(server, key, "SSH-2.0-busy")
		if err == nil {
			err = c.Disconnect(12, "too many connections")
		}
		// Closed at once, the client's next write would fail before it reads.
		server.CloseWrite()
		io.Copy(io.Discard, server)
		served <- err
	}()
	_, _, _, err := ssh.NewClientConn(client, "sshd", &ssh.ClientConfig{User: "jo",
		HostKeyCallback: ssh.FixedHostKey(key.PublicKey())})
	if err == nil || !strings.Contains(err.Error(), "too many connections") {
		t.Errorf("got %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestMalformedPackets(t *testing.T) {
	for name, packet := range map[string]string{
		"too long":          "\xff\xff\xff\xff",
		"too short":         "\x00\x00\x00\x01\x00",
		"all padding":       "\x00\x00\x00\x05\x05abcd",
		"not KEXINIT":       "\x00\x00\x00\x06\x04\x05abcd",
		"truncated":         "\x00\x00\x00\x40\x04",
		"truncated KEXINIT": "\x00\x00\x00\x06\x04\x14abcd\x00\x00\x00\x06\x04\x1eabcd",
	} {
		t.Run(name, func(t *testing.T) {
			client, server := faultnet.Pipe()
			io.WriteString(client, "SSH-2.0-x\r\n"+packet)
			client.CloseWrite()
			if _, err := rawssh.Accept(server, hostKey(t), ""); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzAccept(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n\x00\x00\x00\x06\x04\x14abcd\x00\x00\x00\x06\x04\x1eabcd"))
	key, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := faultnet.Pipe()
		go func() {
			client.Write(data)
			client.CloseWrite()
		}()
		if _, err := rawssh.Accept(server, key, ""); err == nil {
			t.Error("no client could have sent this")
		}
		server.Close()
		client.Close()
	})
}

func TestOpenSSHClient(t *testing.T) {
	sshPath, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("OpenSSH's ssh is not installed")
		}
		t.Skip("OpenSSH's ssh is not installed")
	}
	key := hostKey(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			err = serveCommand(nc, key)
		}
		served <- err
	}()
	dir := t.TempDir()
	// Any identity will do: rawssh checks none.
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true})
	f, err := srv.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(dir, "known")
	os.WriteFile(known, append([]byte("raw "), ssh.MarshalAuthorizedKey(key.PublicKey())...), 0o600)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	out, err := exec.CommandContext(ctx, sshPath, "-F", "none", "-i", f.Identity, "-o", "UserKnownHostsFile="+known,
		"-o", "HostKeyAlias=raw", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-p", port, "jo@127.0.0.1", "anything").Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 || string(out) != "hello jo" {
		t.Errorf("got %q, %v", out, err)
		if exit != nil {
			t.Logf("%s", exit.Stderr)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
