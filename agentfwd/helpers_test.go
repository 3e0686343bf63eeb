package agentfwd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// needProgram returns the path of an OpenSSH program, or skips the test. Where
// CI=true, a missing one is a failure.
func needProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		// sshd is not on everybody's PATH.
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
			if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return p
			}
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "af")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// startAgent starts a real ssh-agent and returns its socket.
func startAgent(t testing.TB) string {
	t.Helper()
	program := needProgram(t, "ssh-agent")
	socket := filepath.Join(shortDir(t), "a")
	cmd := exec.Command(program, "-D", "-a", socket)
	// No askpass program: a key that asks is refused.
	cmd.Env = append(os.Environ(), "DISPLAY=", "SSH_ASKPASS=/nonexistent", "SSH_ASKPASS_REQUIRE=never")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	// It prints the socket's name once it listens.
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("ssh-agent: %v", err)
	}
	return socket
}

// run runs a program with SSH_AUTH_SOCK set, and fails the test if it fails.
func run(t testing.TB, socket, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(needProgram(t, name), args...)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket, "SSH_ASKPASS_REQUIRE=never")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// connect dials an agent's socket and closes the connection with the test.
func connect(t testing.TB, socket string, opts *Options) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), Source{Kind: SourcePath, Value: socket}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newKey makes an ed25519 private key.
func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fakeAgent is an agent made of a function.
type fakeAgent struct {
	// answer returns the reply to the n-th message (from 0) of the k-th
	// connection. nil hangs up.
	answer func(k, n int, msg []byte) []byte

	mu    sync.Mutex
	conns []net.Conn
	got   [][]byte // every message, in the order of arrival
	wg    sync.WaitGroup
}

// listen serves the agent on a socket until the test ends.
func (a *fakeAgent) listen(t testing.TB) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "f")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	a.wg.Go(func() {
		for k := 0; ; k++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			a.wg.Go(func() { a.serve(k, conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		a.mu.Lock()
		for _, conn := range a.conns {
			conn.Close()
		}
		a.mu.Unlock()
		a.wg.Wait()
	})
	return socket
}

// serve answers on one connection.
func (a *fakeAgent) serve(k int, conn net.Conn) {
	defer conn.Close()
	a.mu.Lock()
	a.conns = append(a.conns, conn)
	a.mu.Unlock()
	for n := 0; ; n++ {
		msg, err := readMessage(conn)
		if err != nil {
			return
		}
		a.mu.Lock()
		a.got = append(a.got, bytes.Clone(msg))
		a.mu.Unlock()
		reply := a.answer(k, n, msg)
		if reply == nil || writeMessage(conn, reply) != nil {
			return
		}
	}
}

// messages returns what has arrived.
func (a *fakeAgent) messages() [][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.got
}

// keyringAgent serves an in-process agent, which may be the test's own.
func keyringAgent(t testing.TB, keyring agent.Agent) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "k")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			wg.Go(func() {
				defer stop()
				defer conn.Close()
				agent.ServeAgent(keyring, conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
	})
	return socket
}

// addKeys gives keys with those comments to a keyring, and returns them.
func addKeys(t testing.TB, keyring agent.Agent, comments ...string) []ssh.PublicKey {
	t.Helper()
	var out []ssh.PublicKey
	for _, comment := range comments {
		key := newKey(t)
		if err := keyring.Add(agent.AddedKey{PrivateKey: key, Comment: comment}); err != nil {
			t.Fatal(err)
		}
		pub, err := ssh.NewPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pub)
	}
	return out
}
