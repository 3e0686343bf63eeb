//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// steadily is the options for an attempt each second.
var steadily = []string{"-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1"}

// persistentKept is persistent with Reconnect. A first client has made the
// master, which logs to a file.
func (w *world) persistentKept(host, persist string, first ...string) (m *muxMaster, pid int, log string) {
	w.t.Helper()
	m = w.persistent(host, persist)
	w.pre = append(w.pre[:len(w.pre):len(w.pre)], steadily...)
	log = w.path("log")
	cmd := m.client(gosshPath, append(append([]string{"-E", log}, first...), host, "first")...)
	cmd.Stdin = strings.NewReader("exit 0\r")
	if o := w.run(cmd); o.status != 0 && o.status != 127 {
		w.t.Fatalf("the first client: %v", o)
	}
	if pid = m.pid(); pid == 0 {
		w.t.Fatal("no master")
	}
	return m, pid, log
}

// TestMuxReconnect: a master with Reconnect keeps its socket through an outage.
// Sessions that were there end, new ones wait, forwards come back.
func TestMuxReconnect(t *testing.T) {
	t.Parallel()
	t.Run("foreground", func(t *testing.T) {
		t.Parallel()
		w, r := withRestarts(t, sshtest.Options{})
		m := &muxMaster{w: w, sock: w.socket(), host: "sshtest"}
		m.start(gosshPath, append([]string{"-M", "-N"}, steadily...)...)
		testMuxReconnect(t, r, m, m.cmd.Process.Pid)
		<-m.ended
		if m.cmd.ProcessState.ExitCode() != 255 {
			t.Errorf("the master: %v", m.cmd.ProcessState)
		}
	})
	t.Run("persisting", func(t *testing.T) {
		t.Parallel()
		w, r := withRestarts(t, sshtest.Options{})
		m, pid, log := w.persistentKept("sshtest", "yes")
		testMuxReconnect(t, r, m, pid)
		awaitEnd(t, pid)
		if text := w.read("log"); strings.Count(text, " lost after ") != 3 || strings.Count(text, " re-established after ") != 2 {
			t.Errorf("%s: %s", log, text)
		}
	})
}

func testMuxReconnect(t *testing.T, r *restarted, m *muxMaster, pid int) {
	w, remote := r.w, closedPort(t)
	inode := func() uint64 {
		info, err := os.Stat(m.sock)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ino
	}
	first := inode()
	m.control("forward", "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echoes(t))).want(t, 0, "", silent())

	for round := range 2 {
		old := m.client(gosshPath, "sshtest", "old")
		in, _ := old.StdinPipe()
		out, _ := old.StdoutPipe()
		var errs strings.Builder
		old.Stderr = &errs
		if err := old.Start(); err != nil {
			t.Fatal(err)
		}
		readLine(t, out)
		r.down()
		io.Copy(io.Discard, out)
		old.Wait()
		in.Close()
		if old.ProcessState.ExitCode() != 255 || !strings.Contains(errs.String(), "closed by remote host") && !strings.Contains(errs.String(), "Broken pipe") {
			t.Errorf("the old session: %v, %q", old.ProcessState, errs.String())
		}
		if o := m.control("check"); o.status != 0 || !strings.Contains(o.stderr, ", not connected: attempt ") || !strings.HasPrefix(o.stderr, fmt.Sprintf("Master running (pid=%d)\r\n", pid)) {
			t.Errorf("check: %v", o)
		}
		// It does not wait for longer than ControlPersist says, and makes no master
		// in the place of the one that is there.
		o := m.run("new", "-o", "ConnectTimeout=1", "-o", "ControlMaster=auto")
		if o.status != 255 || !strings.Contains(o.stderr, "the master does not answer") {
			t.Errorf("no server: %v", o)
		}
		waiting := m.client(gosshPath, "-o", "ControlMaster=auto", "sshtest", "new")
		waiting.Stdin = strings.NewReader("exit 4\r")
		done := make(chan outcome)
		go func() { done <- w.run(waiting) }()
		_, tried := r.connections()
		<-tried
		r.up(r.same)
		o = <-done
		if o.status != 4 || !strings.HasSuffix(o.stdout, ": \"new\"\r\n") || o.stderr != "" {
			t.Errorf("the new session: %v", o)
		}
		if inode() != first {
			t.Error("the socket is another")
		}
		eventually(t, fmt.Sprint("the forward is back, round ", round), func() bool { return answers(remote) })
		if n := len(r.current().Conns()); n != 1 {
			t.Errorf("%d connections", n)
		}
		if o := m.control("check"); o.status != 0 || strings.Contains(o.stderr, "not connected") {
			t.Errorf("check: %v", o)
		}
	}
	// During an outage the master obeys, too.
	r.down()
	eventually(t, "the loss is noticed", func() bool { return strings.Contains(m.control("check").stderr, "not connected") })
	m.control("exit").want(t, 0, "", nil)
}

// TestMuxPersistOutage has each way for a master in the background to end
// without a connection.
func TestMuxPersistOutage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		persist string
		do      func(m *muxMaster)
		says    string
	}{
		"stop": {"yes", func(m *muxMaster) { m.control("stop").want(m.w.t, 0, "", nil) }, ""},
		"exit": {"yes", func(m *muxMaster) { m.control("exit").want(m.w.t, 0, "", nil) }, ""},
		"time": {"10", func(*muxMaster) {}, ""}, // long enough to see the outage begin
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := withRestarts(t, sshtest.Options{})
			m, pid, _ := w.persistentKept("sshtest", c.persist)
			r.down()
			eventually(t, "the loss is noticed", func() bool { return strings.Contains(w.read("log"), " lost after ") })
			c.do(m)
			awaitEnd(t, pid)
			if _, err := os.Lstat(m.sock); err == nil {
				t.Error("the socket is left")
			}
			if text := w.read("log"); strings.Contains(text, "re-established") || strings.Contains(text, "given up") {
				t.Errorf("it said %q", text)
			}
		})
	}
}

// TestMuxPersistAsksAgain: a master in the background has no terminal to ask on:
// what needs an answer is the end, unless there is an askpass.
func TestMuxPersistAsksAgain(t *testing.T) {
	t.Parallel()
	secret := func(o *sshtest.Options) { o.Users = []sshtest.User{{Name: sshtest.DefaultUser, Password: "sesame"}} }
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		w, r := withRestarts(t, sshtest.Options{})
		s, m := w.firstOnScreen()
		pid := m.pid()
		r.down()
		r.up(secret)
		awaitEnd(t, pid)
		text := w.read("log")
		if !strings.Contains(text, "given up after attempt ") || !strings.Contains(text, "test@127.0.0.1: Permission denied (") {
			t.Errorf("it said %q", text)
		}
		s.send("behind\n")
		s.expect(`behind\r\n`)
		if strings.Contains(s.text(), "lost") || strings.Contains(s.text(), "password") {
			t.Errorf("on the terminal: %q", s.text())
		}
		if _, err := os.Lstat(m.sock); err == nil {
			t.Error("the socket is left")
		}
	})
	t.Run("askpass", func(t *testing.T) {
		t.Parallel()
		w, r := withRestarts(t, sshtest.Options{})
		w.setenv("DISPLAY=:7", "SSH_ASKPASS="+w.script("askpass", "echo asked >>"+w.path("asked")+"\necho sesame"))
		_, m := w.firstOnScreen()
		pid := m.pid()
		r.down()
		r.up(secret)
		eventually(t, "it is connected", func() bool { return strings.Contains(w.read("log"), "re-established") })
		if got := w.read("asked"); got != "asked\n" {
			t.Errorf("askpass: %q", got)
		}
		if m.pid() != pid {
			t.Error("another master")
		}
		m.control("exit").want(t, 0, "", nil)
		awaitEnd(t, pid)
	})
}

// firstOnScreen makes a master from a terminal. The master has released the
// terminal when it returns.
func (w *world) firstOnScreen() (*screen, *muxMaster) {
	m := w.persistent("sshtest", "yes")
	w.pre = append(w.pre[:len(w.pre):len(w.pre)], steadily...)
	s := w.onScreen(m.client(gosshPath, "-E", w.path("log"), "-tt", "sshtest", "first"))
	s.expect(`session 1`)
	s.untilModes("raw", isRaw)
	s.send("exit 0\r")
	s.wantEnd(0)
	return s, m
}

// TestMuxForwardHeld: a forward whose port the server still holds can be
// cancelled while it waits, and a port that the server chose is known by what
// was asked for and by each number that was told.
func TestMuxForwardHeld(t *testing.T) {
	t.Parallel()
	const none, ports, all = 0, 1, 2 // is refused
	var refuse atomic.Int32
	w, r := withRestarts(t, sshtest.Options{OnRequest: func(rec sshtest.Record) sshtest.Reaction {
		anyPort := bytes.HasSuffix(rec.Payload, []byte{0, 0, 0, 0})
		if mode := refuse.Load(); rec.Type == "tcpip-forward" && (mode == all || mode == ports && !anyPort) {
			return sshtest.Reaction{Verdict: sshtest.Refuse}
		}
		return sshtest.Reaction{}
	}})
	m, _, _ := w.persistentKept("sshtest", "yes")
	held := fmt.Sprintf("%d:127.0.0.1:%d", closedPort(t), echoes(t))
	m.control("forward", "-R", held).want(t, 0, "", silent())
	var targets, told []string // of those whose port the server chooses
	for i := range 3 {
		targets = append(targets, fmt.Sprintf(":127.0.0.1:%d", echoes(t)))
		o := m.control("forward", "-R", "0"+targets[i])
		if told = append(told, strings.TrimSpace(o.stdout)); told[i] == "" {
			t.Fatal(o)
		}
	}
	refuse.Store(all)
	r.down()
	r.up(r.same)
	waiting := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " forwards wait"), func() bool {
			return strings.Count(m.control("channels").stdout, "(not open at the moment)") == n
		})
	}
	eventually(t, "each was tried", func() bool { return strings.Count(w.read("log"), "is not possible yet") == 4 })
	waiting(4)
	// To ask for one that waits makes no second one.
	o := m.control("forward", "-R", held)
	if o.status != 255 || !strings.Contains(o.stderr, "remote port forwarding failed for listen port") {
		t.Errorf("again: %v", o)
	}
	waiting(4)
	m.control("cancel", "-R", held).want(t, 0, "", silent())
	waiting(3)
	if o := m.control("cancel", "-R", held); !strings.Contains(o.stderr, "port not forwarded") {
		t.Errorf("cancelled twice: %v", o)
	}
	m.control("cancel", "-R", told[2]+targets[2]).want(t, 0, "", silent())
	waiting(2)
	m.control("cancel", "-R", "0"+targets[0]).want(t, 0, "", silent())
	waiting(1)
	refuse.Store(ports)
	waiting(0)
	if text := m.control("channels").stdout; !strings.Contains(text, targets[1]) || strings.Contains(text, told[1]+":") {
		t.Errorf("not at another port than %s: %s", told[1], text)
	}
	m.control("cancel", "-R", told[1]+targets[1]).want(t, 0, "", silent())
	if text := m.control("channels").stdout; strings.Contains(text, "forward") {
		t.Errorf("left: %s", text)
	}
	m.control("exit")
}

// TestMuxPersistFaults: a master in the background over a link to a real sshd
// that dies without a word.
func TestMuxPersistFaults(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	p := linkTo(t, w.srv.Addr)
	local, remote := closedPort(t), closedPort(t)
	w.pre = append(w.pre[:len(w.pre):len(w.pre)], "-p", fmt.Sprint(p.Port()), "-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=1")
	m, pid, _ := w.persistentKept("sshd", "yes", "-L", fmt.Sprintf("%d:127.0.0.1:%d", local, echoes(t)))
	m.control("forward", "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echoes(t))).want(t, 0, "", silent())
	for round, fault := range []func(){func() { p.BlackHole(faultnet.Both) }, func() { p.Stall(faultnet.Both) }, p.Reset} {
		for _, port := range []int{local, remote} {
			eventually(t, "the forward works", func() bool { return answers(port) })
		}
		old := m.client(gosshPath, "sshd", "echo up; exec sleep 1000")
		out, _ := old.StdoutPipe()
		var errs strings.Builder
		old.Stderr = &errs
		if err := old.Start(); err != nil {
			t.Fatal(err)
		}
		readLine(t, out)
		fault()
		old.Wait()
		want := "Timeout, server 127.0.0.1 not responding.\r\n"
		if round == 2 {
			want = "client_loop: send disconnect: Broken pipe\r\n"
		}
		if old.ProcessState.ExitCode() != 255 || errs.String() != want {
			t.Errorf("the old session: %v, %q", old.ProcessState, errs.String())
		}
		// The server lives, and has the port of a connection that it does not
		// know to be dead until that is cut.
		p.Resume(faultnet.Both)
		m.run("echo new").want(t, 0, "new\n", silent())
		p.Cut()
	}
	if m.pid() != pid {
		t.Error("another master")
	}
	m.control("exit").want(t, 0, "", nil)
	awaitEnd(t, pid)
}
