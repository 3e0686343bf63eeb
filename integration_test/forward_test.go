//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// greeter starts a TCP service that sends a greeting and then echoes its
// input. It returns the address.
func greeter(t *testing.T, greeting string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, func(c net.Conn) {
		fmt.Fprintln(c, greeting)
		io.Copy(c, c)
	})
	return ln.Addr().String()
}

// visit reads the greeting at addr, sends a line and an end of input, and
// wants the line back.
func visit(t *testing.T, network, addr, greeting string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if got := readLine(t, c); got != greeting {
		t.Errorf("%s: greeting %q", addr, got)
	}
	fmt.Fprintln(c, "and back")
	c.(interface{ CloseWrite() error }).CloseWrite()
	rest, err := io.ReadAll(c)
	if err != nil || string(rest) != "and back\n" {
		t.Errorf("%s: %q, %v", addr, rest, err)
	}
}

// up starts the program with a session that prints "up", waits for that, and
// returns a function that returns the stderr so far.
func (w *world) up(args ...string) (*exec.Cmd, func() string) {
	w.t.Helper()
	errs, err := os.CreateTemp(w.home, "stderr")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { errs.Close() })
	cmd := w.gossh(append(args, "sshd", "echo up; exec sleep 1000")...)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	stderr := func() string {
		text, _ := os.ReadFile(errs.Name())
		return string(text)
	}
	if got := readLine(w.t, out); got != "up" {
		w.t.Fatalf("%q: %q\n%s", cmd.Args, got, stderr())
	}
	return cmd, stderr
}

// oneFamily is for tests that connect to a port that sshd chooses. sshd binds
// the port on ::1 first and goes on if it cannot have it on 127.0.0.1, where
// another program may have it.
const oneFamily = "AddressFamily inet\n"

func TestForwards(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: oneFamily})
	target := greeter(t, "hello")
	local, dynamic, remote := closedPort(t), closedPort(t), closedPort(t)
	dir, err := os.MkdirTemp("", "f")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, stderr := w.up(
		"-L", fmt.Sprintf("%d:%s", local, target),
		"-L", dir+"/l:"+target,
		"-R", fmt.Sprintf("%d:%s", remote, target),
		"-R", dir+"/r:"+target,
		"-R", "0:"+target,
		"-D", fmt.Sprint(dynamic))
	visit(t, "tcp", fmt.Sprintf("127.0.0.1:%d", local), "hello")
	visit(t, "unix", dir+"/l", "hello")
	visit(t, "tcp", fmt.Sprintf("127.0.0.1:%d", remote), "hello")
	visit(t, "unix", dir+"/r", "hello")
	var allocated int
	text := stderr()
	if _, err := fmt.Sscanf(text, "Allocated port %d for remote forward to "+target, &allocated); err != nil {
		t.Errorf("%v: %q", err, text)
	}
	visit(t, "tcp", fmt.Sprintf("127.0.0.1:%d", allocated), "hello")
	need(t, "nc")
	host, port, _ := net.SplitHostPort(target)
	for _, version := range []string{"4", "5"} {
		nc := w.tool("nc", "-X", version, "-x", fmt.Sprintf("127.0.0.1:%d", dynamic), "-N", host, port)
		nc.Stdin = strings.NewReader("by socks\n")
		w.run(nc).want(t, 0, "hello\nby socks\n", nil)
	}
}

// TestForwardAgent: the server's programs use our agent, once -A says so.
func TestForwardAgent(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	key := w.keygen("held", "-t", "ed25519")
	w.agent(key)
	want := w.agentList()
	cfg := w.anyKey("IdentityFile " + w.srv.ClientKey)
	w.run(w.gossh("-F", cfg, "-A", "sshd", "ssh-add -l")).want(t, 0, want, silent())
	for _, flag := range []string{"-a", "-T"} {
		o := w.run(w.gossh("-F", cfg, flag, "sshd", "ssh-add -l"))
		if o.status != 2 || o.stdout != "" {
			t.Errorf("%s: %v", flag, o)
		}
	}
	// From there on with a key that only our agent has.
	w.authorize(w.read("held.pub"))
	onward := w.anyKey("IdentityFile none", "ForwardAgent yes")
	o := w.run(w.gossh("-F", cfg, "-A", "sshd", gosshPath+" -F "+onward+" sshd 'echo onward'"))
	o.want(t, 0, "onward\n", silent())
}
