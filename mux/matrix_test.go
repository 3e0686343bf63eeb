//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// passenger is a client program, ssh or ours.
type passenger interface {
	session(t *testing.T, path, stdin, command string) result
	// failing are operations that tell no more than whether they worked.
	check(t *testing.T, path string) (pid int, err error)
	forward(t *testing.T, path string, spec forward.Spec) (port int, err error)
	cancel(t *testing.T, path string, spec forward.Spec) error
	stdio(t *testing.T, path, target, stdin string) (stdout string, err error)
	proxy(t *testing.T, path, command string) (stdout string, status int)
	stop(t *testing.T, path string) error
	exit(t *testing.T, path string) error
}

// sshClient is OpenSSH's.
type sshClient struct{ *openSSH }

func (c sshClient) session(t *testing.T, path, stdin, command string) result {
	t.Helper()
	return c.run(t, path, stdin, "-o", "SetEnv=MUXTEST=value", "sshd", command)
}

// control runs ssh -O.
func (c sshClient) control(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	r := c.run(t, path, "", append([]string{"-O"}, append(args, "sshd")...)...)
	// -O cancel exits with 0 even if it fails.
	if r.status != 0 || strings.Contains(r.stderr, "failed") {
		return "", fmt.Errorf("status %d: %s", r.status, r.stderr)
	}
	return r.stdout + r.stderr, nil
}

func (c sshClient) check(t *testing.T, path string) (pid int, err error) {
	t.Helper()
	out, err := c.control(t, path, "check")
	if err == nil {
		_, err = fmt.Sscanf(out, "Master running (pid=%d)\r\n", &pid)
	}
	return pid, err
}

func flag(spec forward.Spec) []string {
	return []string{map[forward.Kind]string{forward.Local: "-L", forward.Remote: "-R", forward.Dynamic: "-D"}[spec.Kind], spec.String()}
}

func (c sshClient) forward(t *testing.T, path string, spec forward.Spec) (port int, err error) {
	t.Helper()
	out, err := c.control(t, path, append([]string{"forward"}, flag(spec)...)...)
	if err == nil && out != "" {
		port, err = strconv.Atoi(strings.TrimSpace(out))
	}
	return port, err
}

func (c sshClient) cancel(t *testing.T, path string, spec forward.Spec) error {
	t.Helper()
	_, err := c.control(t, path, append([]string{"cancel"}, flag(spec)...)...)
	return err
}

func (c sshClient) stdio(t *testing.T, path, target, stdin string) (string, error) {
	t.Helper()
	r := c.run(t, path, stdin, "-W", target, "sshd")
	if r.status != 0 {
		return "", fmt.Errorf("status %d: %s", r.status, r.stderr)
	}
	return r.stdout, nil
}

func (c sshClient) proxy(t *testing.T, path, command string) (string, int) {
	t.Helper()
	r := c.run(t, path, "", "-O", "proxy", "sshd", command)
	return r.stdout, r.status
}

func (c sshClient) stop(t *testing.T, path string) error {
	t.Helper()
	_, err := c.control(t, path, "stop")
	return err
}

func (c sshClient) exit(t *testing.T, path string) error {
	t.Helper()
	_, err := c.control(t, path, "exit")
	return err
}

// ourClient is ours, in this process.
type ourClient struct{}

func (ourClient) session(t *testing.T, path, stdin, command string) result {
	t.Helper()
	return run(t, path, mux.SessionRequest{Command: command, Env: []session.EnvVar{{Name: "MUXTEST", Value: "value"}}}, stdin)
}

func (ourClient) check(t *testing.T, path string) (int, error) {
	t.Helper()
	s, err := connect(t, path).Alive(patient(t))
	return s.PID, err
}

func (ourClient) forward(t *testing.T, path string, spec forward.Spec) (int, error) {
	t.Helper()
	return connect(t, path).OpenForward(patient(t), spec)
}

func (ourClient) cancel(t *testing.T, path string, spec forward.Spec) error {
	t.Helper()
	return connect(t, path).CloseForward(patient(t), spec)
}

func (ourClient) stdio(t *testing.T, path, target, stdin string) (string, error) {
	t.Helper()
	addr, err := forward.ParseStdio(target)
	if err != nil {
		t.Fatal(err)
	}
	std := newStdio(t)
	fds := std.fds()
	s, err := connect(t, path).StdioForward(patient(t), addr, [2]int(fds[:2]))
	if err != nil {
		return "", err
	}
	std.closeOurs()
	io.WriteString(std.stdin, stdin)
	std.stdin.Close()
	_, err = s.Wait()
	return std.stdout.String(), err
}

func (ourClient) proxy(t *testing.T, path, command string) (string, int) {
	t.Helper()
	c, err := mux.Dial(patient(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cmd := session.Command(patient(t), c, command)
	out, err := cmd.Output()
	status := 0
	if exit, ok := err.(*session.ExitError); ok {
		status = exit.Status
	} else if err != nil {
		t.Error(err)
	}
	return string(out), status
}

func (ourClient) stop(t *testing.T, path string) error {
	t.Helper()
	return connect(t, path).Stop(patient(t))
}

func (ourClient) exit(t *testing.T, path string) error {
	t.Helper()
	return connect(t, path).Terminate(patient(t))
}

// masters makes one of either kind, and tells its process and its end.
type masterKind struct {
	name  string
	start func(t testing.TB) (path string, pid int, ended <-chan struct{})
}

func masters(sshd *opensshd.Server, client *openSSH) []masterKind {
	return []masterKind{
		{"ssh", func(t testing.TB) (string, int, <-chan struct{}) {
			path := filepath.Join(shortDir(t), "ctl")
			cmd := client.command(context.Background(), path, "-M", "-N", "-o", "SendEnv=MUXTEST", "sshd")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { cmd.Wait(); close(ended) }()
			t.Cleanup(func() { cmd.Process.Signal(unix.SIGTERM); <-ended })
			eventually(t, "the socket", func() bool { _, err := os.Lstat(path); return err == nil })
			return path, cmd.Process.Pid, ended
		}},
		{"gossh", func(t testing.TB) (string, int, <-chan struct{}) {
			srv := listen(t, dialSSHD(t, sshd), mux.ServerOptions{Host: "sshd"})
			return srv.Path(), os.Getpid(), srv.Done()
		}},
	}
}

// echo is a target for forwardings.
func echo(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln
}

// echoes tells whether there is an echo at addr.
func echoes(t *testing.T, network, addr string) bool {
	t.Helper()
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "ping")
	c.(interface{ CloseWrite() error }).CloseWrite()
	b, _ := io.ReadAll(c)
	return string(b) == "ping"
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// TestPairs runs each operation for each pair of {ssh, gossh} as master and as
// client.
func TestPairs(t *testing.T) {
	program := needSSH(t)
	// With both families a port that sshd chooses may be bound on ::1 alone.
	sshd := opensshd.NewServer(t, &opensshd.Options{Extra: "AcceptEnv MUXTEST\nMaxSessions 4\nAddressFamily inet"})
	client := &openSSH{program, sshd.Config}
	for _, m := range masters(sshd, client) {
		for name, p := range map[string]passenger{"ssh": sshClient{client}, "gossh": ourClient{}} {
			t.Run(fmt.Sprintf("%s serves %s", m.name, name), func(t *testing.T) { testPair(t, m, p) })
		}
	}
}

func testPair(t *testing.T, m masterKind, p passenger) {
	path, pid, ended := m.start(t)
	t.Run("check", func(t *testing.T) {
		if got, err := p.check(t, path); got != pid || err != nil {
			t.Errorf("pid %d, %v; want %d", got, err, pid)
		}
	})
	t.Run("session", func(t *testing.T) {
		got := p.session(t, path, "in", "cat; echo err >&2; echo $MUXTEST; exit 7")
		// The login shell may have something to say on stderr, too.
		if got.stdout != "invalue\n" || !strings.HasSuffix(got.stderr, "err\n") || got.status != 7 {
			t.Errorf("got %+v", got)
		}
		if got := p.session(t, path, "", "kill -9 $$"); got.status != 255 {
			t.Errorf("status %d after a signal", got.status)
		}
		big := strings.Repeat("0123456789abcdef", 1<<16)
		if got := p.session(t, path, big, "cat"); got.stdout != big {
			t.Errorf("%d bytes came back of %d", len(got.stdout), len(big))
		}
	})
	t.Run("stdio", func(t *testing.T) {
		ln := echo(t, "tcp", "127.0.0.1:0")
		if got, err := p.stdio(t, path, ln.Addr().String(), "over"); got != "over" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := p.stdio(t, path, fmt.Sprint("127.0.0.1:", freePort(t)), ""); err == nil {
			t.Errorf("got %q of a port where nobody listens", got)
		}
	})
	t.Run("forward", func(t *testing.T) { testForwards(t, p, path) })
	t.Run("proxy", func(t *testing.T) {
		if out, status := p.proxy(t, path, "echo proxy; exit 9"); out != "proxy\n" || status != 9 {
			t.Errorf("got %q, status %d", out, status)
		}
	})
	t.Run("stop", func(t *testing.T) {
		if err := p.stop(t, path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket is still there")
		}
	})
	t.Run("exit", func(t *testing.T) {
		path, _, ended := m.start(t)
		if err := p.exit(t, path); err != nil {
			t.Fatal(err)
		}
		<-ended
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket is still there")
		}
	})
	_ = ended
}

func testForwards(t *testing.T, p passenger, path string) {
	target := echo(t, "tcp", "127.0.0.1:0").Addr().String()
	dir := shortDir(t)
	socketTarget := filepath.Join(dir, "t")
	echo(t, "unix", socketTarget)
	local, remote := freePort(t), freePort(t)
	for _, tt := range []struct {
		name     string
		kind     forward.Kind
		spec     string
		network  string
		addr     string
		occupied bool
	}{
		{"local", forward.Local, fmt.Sprintf("127.0.0.1:%d:%s", local, target), "tcp", fmt.Sprint("127.0.0.1:", local), true},
		{"local without bind address", forward.Local, fmt.Sprintf("%d:%s", local, target), "tcp", fmt.Sprint("127.0.0.1:", local), true},
		{"remote", forward.Remote, fmt.Sprintf("127.0.0.1:%d:%s", remote, target), "tcp", fmt.Sprint("127.0.0.1:", remote), true},
		{"local sockets", forward.Local, dir + "/l:" + socketTarget, "unix", dir + "/l", false},
		{"remote sockets", forward.Remote, dir + "/r:" + socketTarget, "unix", dir + "/r", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, err := forward.ParseSpec(tt.kind, tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.cancel(t, path, spec); err == nil || !strings.Contains(err.Error(), "port not forwarded") {
				t.Errorf("cancelled before it was opened: %v", err)
			}
			for range 2 { // what exists is no error
				if _, err := p.forward(t, path, spec); err != nil {
					t.Fatal(err)
				}
			}
			if !echoes(t, tt.network, tt.addr) {
				t.Error("no echo")
			}
			if err := p.cancel(t, path, spec); err != nil {
				t.Fatal(err)
			}
			if echoes(t, tt.network, tt.addr) {
				t.Error("echo after the cancellation")
			}
		})
	}
	t.Run("port of the server's choice", func(t *testing.T) {
		spec, _ := forward.ParseSpec(forward.Remote, "0:"+target)
		port, err := p.forward(t, path, spec)
		if err != nil || port == 0 {
			t.Fatalf("port %d, %v", port, err)
		}
		if again, err := p.forward(t, path, spec); again != port || err != nil {
			t.Errorf("asked again: port %d, %v; want %d", again, err, port)
		}
		if !echoes(t, "tcp", fmt.Sprint("127.0.0.1:", port)) {
			t.Error("no echo")
		}
		if err := p.cancel(t, path, spec); err != nil {
			t.Error(err)
		}
	})
	t.Run("taken", func(t *testing.T) {
		taken := echo(t, "tcp", "127.0.0.1:0").Addr().(*net.TCPAddr).Port
		for kind, reason := range map[forward.Kind]string{
			forward.Local:  "Port forwarding failed",
			forward.Remote: fmt.Sprint("remote port forwarding failed for listen port ", taken),
		} {
			spec, _ := forward.ParseSpec(kind, fmt.Sprintf("127.0.0.1:%d:%s", taken, target))
			if _, err := p.forward(t, path, spec); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%v: %v, want %q", kind, err, reason)
			}
		}
	})
	t.Run("dynamic", func(t *testing.T) {
		port := freePort(t)
		spec, _ := forward.ParseSpec(forward.Dynamic, fmt.Sprint("127.0.0.1:", port))
		if _, err := p.forward(t, path, spec); err != nil {
			t.Fatal(err)
		}
		if _, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port)); err != nil {
			t.Error(err)
		}
		if err := p.cancel(t, path, spec); err != nil {
			t.Error(err)
		}
	})
}
