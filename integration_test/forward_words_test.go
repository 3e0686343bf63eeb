//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// taken returns a port of 127.0.0.1, and of ::1 if both is set, that is in
// use.
func taken(t *testing.T, both bool) int {
	t.Helper()
	for {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if both {
			ln6, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", port))
			if err != nil {
				ln.Close()
				continue
			}
			t.Cleanup(func() { ln6.Close() })
		}
		t.Cleanup(func() { ln.Close() })
		return port
	}
}

// The names in .invalid have an empty label: no resolver sends a query for them,
// so that what it says does not depend on how its servers feel.

var allocated = regexp.MustCompile(`Allocated port \d+`)

// TestForwardWords: the messages about forwardings that fail, and the
// status, are ssh's.
func TestForwardWords(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	both, half, free := taken(t, true), taken(t, false), closedPort(t)
	file := w.write("occupied", "")
	exit := "ExitOnForwardFailure=yes"
	for _, line := range []string{
		"-L both:a:1 sshd true",
		"-L half:a:1 sshd true",
		"-L 127.0.0.1:half:a:1 sshd true",
		"-L 127.0.0.1:half:a:1 -L free:a:1 sshd true",
		"-L both:a:1 -o EXIT sshd true",
		"-L half:a:1 -o EXIT sshd true",
		"-L 127.0.0.1:half:a:1 -L free:a:1 -o EXIT sshd true",
		"-N -L both:a:1 -o EXIT sshd",
		"-L *:half:a:1 sshd true",
		"-g -L half:a:1 sshd true",
		"-o GatewayPorts=yes -L half:a:1 sshd true",
		"-L 192.0.2.1:free:a:1 sshd true",
		"-L nosuch..invalid:free:a:1 sshd true",
		"-4 -L half:a:1 sshd true",
		"-6 -L localhost:half:a:1 sshd true",
		"-D both sshd true",
		"-D 127.0.0.1:half sshd true",
		"-R both:a:1 sshd true",
		"-R 127.0.0.1:half:a:1 sshd true",
		"-R both:a:1 -o EXIT sshd true",
		"-R both:a:1 -R half:a:1 -o EXIT sshd true",
		"-R 0:a:1 sshd true",
		"-R 0 sshd true",
		"-R 0:[::1]:22 sshd true",
		"-R 0:/some/socket sshd true",
		"-R /nosuch/socket:a:1 sshd true",
		"-R /nosuch/socket:a:1 -o EXIT sshd true",
		"-L /nosuch/socket:a:1 sshd true",
		"-L FILE:a:1 sshd true",
		"-L FILE:a:1 -o EXIT sshd true",
		"-W 127.0.0.1:1 sshd",
		"-W nosuch..invalid:1 sshd",
		"-o ClearAllForwardings=yes -L both:a:1 -R both:a:1 -D both sshd true",
	} {
		words := strings.NewReplacer("both", fmt.Sprint(both), "half", fmt.Sprint(half), "free", fmt.Sprint(free),
			"EXIT", exit, "FILE", file).Replace(line)
		args := strings.Fields(words)
		got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
		for _, o := range []*outcome{&got, &want} {
			o.stderr = allocated.ReplaceAllString(o.stderr, "Allocated port N")
		}
		compare(t, line, got, want)
	}
	o := w.run(w.gossh("-w", "any", "sshd", "true"))
	o.want(t, 255, "", new("Tunnel device forwarding (-w) is not supported.\r\n"))
}

// TestForwardConnWords: the same for connections that do not reach their
// target.
func TestForwardConnWords(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	w := withSSHD(t, opensshd.Options{})
	closed := closedPort(t)
	session := []string{"sshd", "echo up; exec sleep 1000"}
	for _, c := range []struct {
		forward string
		args    []string
		socks   string // "" is a plain connection
	}{
		{"-L", []string{fmt.Sprintf("PORT:127.0.0.1:%d", closed)}, ""},
		{"-L", []string{"PORT:nosuch..invalid:1"}, ""},
		{"-L", []string{"PORT:/no/such/socket"}, ""},
		{"-D", []string{"PORT"}, fmt.Sprintf("127.0.0.1:%d", closed)},
		{"-R", []string{fmt.Sprintf("PORT:127.0.0.1:%d", closed)}, ""},
		{"-R", []string{"PORT:nosuch..invalid:1"}, ""},
		{"-R", []string{"PORT:/no/such/socket"}, ""},
		{"-R", []string{"PORT"}, fmt.Sprintf("127.0.0.1:%d", closed)},
	} {
		said := func(program func(...string) *exec.Cmd) string {
			port := closedPort(t)
			spec := strings.ReplaceAll(c.args[0], "PORT", fmt.Sprint(port))
			return w.failedConn(program(append([]string{c.forward, spec}, session...)...), port, c.socks)
		}
		got, want := said(w.gossh), said(w.ssh)
		if got != want || want == "" {
			t.Errorf("%s %s: %q, ssh %q", c.forward, c.args[0], got, want)
		}
	}
}

// failedConn runs cmd until it prints "up", connects to port, and returns the
// messages about that.
func (w *world) failedConn(cmd *exec.Cmd, port int, socks string) string {
	w.t.Helper()
	errs := filepath.Join(w.t.TempDir(), "stderr")
	file, err := os.Create(errs)
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	cmd.Stderr = file
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if got := readLine(w.t, out); got != "up" {
		w.t.Fatalf("%q: %q", cmd.Args, got)
	}
	if socks != "" {
		w.run(w.tool("curl", "-s", "--socks5", fmt.Sprintf("127.0.0.1:%d", port), "http://"+socks))
	} else if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		c.SetDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, c)
		c.Close()
	}
	var said []byte
	eventually(w.t, "a message comes", func() bool {
		said, _ = os.ReadFile(errs)
		return bytes.HasSuffix(said, []byte("\n"))
	})
	return string(said)
}

// TestSocketMask: the permissions of a listening socket are ssh's.
func TestSocketMask(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	for _, mask := range []string{"", "0177", "0111", "0000", "0777", "022"} {
		mode := func(program func(...string) *exec.Cmd, name string) os.FileMode {
			path := filepath.Join(w.home, name+mask)
			args := []string{"-L", path + ":a:1", "sshd", "echo up; exec sleep 1000"}
			if mask != "" {
				args = append([]string{"-o", "StreamLocalBindMask=" + mask}, args...)
			}
			cmd := program(args...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
			}()
			readLine(t, out)
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			return info.Mode()
		}
		if got, want := mode(w.gossh, "g"), mode(w.ssh, "s"); got != want {
			t.Errorf("mask %q: %v, ssh %v", mask, got, want)
		}
	}
}
