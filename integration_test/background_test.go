//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// background returns the gossh processes whose arguments contain mark, in any
// session, and kills them at the end of the test.
func (w *world) background(mark string) []int {
	w.t.Helper()
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		line, _ := os.ReadFile(name)
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(name), "exe"))
		if exe != gosshPath || !strings.Contains(string(line), mark) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		pids = append(pids, pid)
		w.t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	}
	return pids
}

func TestBackground(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	port := closedPort(t)
	forward := fmt.Sprintf("-L127.0.0.1:%d:%s", port, w.srv.Addr)
	// The shell waits for the end of the output, so a process that keeps the pipe
	// keeps the shell.
	o := w.run(w.tool("sh", "-c", "out=$("+w.line("-fN", forward, "sshd")+" 2>&1); echo \"status $? out $out\""))
	o.want(t, 0, "status 0 out \n", silent())
	pids := w.background(forward)
	if len(pids) != 1 {
		t.Fatalf("processes in the background: %v", pids)
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("the forward is not open when -f returns: %v", err)
	}
	defer c.Close()
	if got := readLine(t, c); !strings.HasPrefix(got, "SSH-2.0-OpenSSH") {
		t.Errorf("through the forward came %q", got)
	}
	for fd := range 3 {
		if target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pids[0], fd)); target != os.DevNull {
			t.Errorf("descriptor %d is %s", fd, target)
		}
	}
	if sid := sessionOf(pids[0]); sid != pids[0] {
		t.Errorf("session %d of process %d", sid, pids[0])
	}
	// It has the name that it was called by, for pkill -f and the like.
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[0]))
	if name, _, _ := strings.Cut(string(line), "\x00"); name != gosshPath {
		t.Errorf("the process in the background is called %q, want %q", name, gosshPath)
	}
	syscall.Kill(pids[0], syscall.SIGTERM)
	eventually(t, "the process in the background ends", func() bool { return !alive(pids[0]) })
}

// sessionOf returns the session of a process, from /proc/PID/stat.
func sessionOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	n, _ := strconv.Atoi(fields[3])
	return n
}

func TestBackgroundCommand(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	t.Run("command", func(t *testing.T) {
		// The program returns once the session is asked for; the command's
		// output still comes, and its end is not awaited.
		mark := "command-in-the-background"
		go_, done := w.path("go"), w.path("done")
		if err := syscall.Mkfifo(go_, 0o600); err != nil {
			t.Fatal(err)
		}
		r, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd := w.gossh("-f", "sshd", "read line <"+go_+"; echo $line; touch "+done+"; : "+mark)
		// Standard error stays with the command too.
		errs, err := os.Create(w.path("errors"))
		if err != nil {
			t.Fatal(err)
		}
		defer errs.Close()
		cmd.Stdout, cmd.Stderr = out, errs
		o := w.run(cmd)
		out.Close()
		o.want(t, 0, "", silent())
		if _, err := os.Stat(done); err == nil {
			t.Error("the command was awaited")
		}
		w.background(mark)
		if err := os.WriteFile(go_, []byte("text\n"), 0); err != nil {
			t.Fatal(err)
		}
		if got := readLine(t, r); got != "text" {
			t.Errorf("got %q", got)
		}
		eventually(t, "the process ends", func() bool { return len(w.background(mark)) == 0 })
	})
	t.Run("fails", func(t *testing.T) {
		w.likeSSH(t, []string{"-fN", "-o", "PubkeyAuthentication=no", "-o", "LogLevel=QUIET", "sshd"})
		port := fmt.Sprint(closedPort(t))
		w.likeSSH(t, []string{"-fN", "-p", port, "sshd"})
		w.likeSSH(t, []string{"-f", "-p", port, "sshd", "true"})
		w.likeSSH(t, []string{"-fN", "-o", "ExitOnForwardFailure=yes", "-L", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd"})
	})
	t.Run("input is not read", func(t *testing.T) {
		cmd := w.tool("sh", "-c", w.line("-f", "sshd", "cat")+"; cat")
		cmd.Stdin = strings.NewReader("untouched")
		w.run(cmd).want(t, 0, "untouched", silent())
	})
}

// TestBackgroundAsks: the questions come before the program goes.
func TestBackgroundAsks(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}}})
	s := w.onScreen(w.tool("sh", "-c", w.line("-fN", "sshtest")+"; echo status $?; read line; echo got $line"))
	before := s.before
	s.expect(`test@127\.0\.0\.1's password: `)
	s.send("secret\n")
	s.expect(`status 0\r\n`)
	pids := w.background(w.cfg)
	if len(pids) != 1 || s.modes() != before {
		t.Errorf("processes %v; modes %+v, before %+v", pids, s.modes(), before)
	}
	s.send("line\n")
	s.expect(`got line`)
	s.wantEnd(0)
	// The end of the terminal's session is not the end of the connection.
	for _, pid := range pids {
		if !alive(pid) {
			t.Error("ended with the terminal")
		}
		syscall.Kill(pid, syscall.SIGTERM)
		eventually(t, "it ends", func() bool { return !alive(pid) })
	}
}
