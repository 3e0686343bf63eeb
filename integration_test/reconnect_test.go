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
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest"
)

// keywise reports whether a terminal is in the mode of the countdown: single
// keys, no echo, with signals.
func keywise(m unix.Termios) bool {
	return m.Lflag&(unix.ICANON|unix.ECHO) == 0 && m.Lflag&unix.ISIG != 0 && m.Oflag&unix.OPOST != 0
}

// slowly is the options for attempts that do not come by themselves. A change
// of the network, which other tests may cause, still makes one; so attempts
// are not counted.
var slowly = []string{"-o", "Reconnect=yes", "-o", "ReconnectMinDelay=600", "-o", "ReconnectMaxDelay=600"}

// lostLine matches the line that counts down after a loss. The connection is
// closed, or reset if the server had unread data.
const lostLine = `\r\n\rConnection to 127\.0\.0\.1 lost \([a-z ]+\): attempt 1 in (\d+) s \[Enter: now, ~\.: end\]`

// TestReconnectShell: a line about the loss counts down, the terminal is usable
// meanwhile, Enter means "now", and other input is discarded.
func TestReconnectShell(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	s := w.onScreen(w.gossh(append(slowly, "sshtest")...))
	s.resize(120, 24)
	before := s.before
	s.expect(`session 1: ""\r\n`)
	s.untilModes("raw", isRaw)
	s.send("half a line")
	r.down()
	left := seconds(t, s.expect(lostLine))
	if left > 600 || left < 570 {
		t.Errorf("%d s left at the beginning", left)
	}
	for now := left; now >= left; {
		now = seconds(t, s.expect(`\rConnection to 127\.0\.0\.1 lost \([a-z ]+\): attempt 1 in (\d+) s`))
	}
	s.untilModes("waiting for a key", keywise)
	s.send("rm -rf precious ~ . \x1b[A\t")
	s.send("\r")
	s.expect(`attempt \d+ \.\.\. \[~\.: end\]`)
	s.expect(`attempt \d+ in (600|5\d\d) s`)
	r.up(r.same)
	s.send("\r")
	s.expect(`\rConnection to 127\.0\.0\.1 re-established after [\d.ms]+, at attempt \d+\. This is a new shell\. *\x08*\r+\n`)
	s.expect(`session 2: ""\r\n`)
	s.untilModes("raw", isRaw)
	s.send("ping\r")
	s.expect(`got "ping"\r\n`)
	s.send("exit 7\r")
	s.expect(`Connection to 127\.0\.0\.1 closed\.[\r\n]+`)
	s.wantEnd(7)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
	if strings.Contains(s.text(), "precious") || strings.Contains(s.text(), "\x1b[2J") {
		t.Errorf("what was typed is shown, or the screen was cleared: %q", s.tail())
	}
}

func seconds(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReconnectEnds has each way to end the waiting.
func TestReconnectEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *screen){
		"escape":  func(s *screen) { s.send("abc~.") },
		"ctrl-C":  func(s *screen) { s.send("\x03") },
		"SIGTERM": func(s *screen) { s.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(s *screen) { s.cmd.Process.Signal(syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := withRestarts(t, sshtest.Options{})
			s := w.onScreen(w.gossh(append(slowly, "sshtest")...))
			s.resize(120, 24)
			before := s.before
			s.expect(`session 1`)
			r.down()
			s.expect(lostLine)
			s.untilModes("waiting for a key", keywise)
			end(s)
			s.wantEnd(255)
			if s.modes() != before {
				t.Errorf("modes %+v, before %+v", s.modes(), before)
			}
		})
	}
}

// TestReconnectSuspended: the wait is a job like any other.
func TestReconnectSuspended(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	s := w.shell()
	s.resize(120, 24)
	before := s.modes()
	s.send(w.line(append(slowly, "sshtest")...) + "\n")
	s.expect(`session 1`)
	r.down()
	s.expect(lostLine)
	s.untilModes("waiting for a key", keywise)
	s.send("\x1a")
	s.expect(`Stopped`)
	s.expect(`local\$ `)
	if s.modes() != before {
		t.Errorf("modes while stopped %+v, before %+v", s.modes(), before)
	}
	r.up(r.same)
	s.send("fg\n")
	s.expect(`Reconnect=yes`)
	s.untilModes("waiting for a key", keywise)
	s.send("\r")
	s.expect(`This is a new shell\.`)
	s.expect(`session 2`)
	s.untilModes("raw", isRaw)
	s.send("exit 0\r")
	s.expect(`closed\.`)
	s.expect(`local\$ `)
}

// TestReconnectByItself counts attempts that fail, and runs RemoteCommand again.
func TestReconnectByItself(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{}, "RemoteCommand tmux new -A -s main", "RequestTTY yes")
	s := w.onScreen(w.gossh("-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1", "sshtest"))
	s.expect(`session 1: "tmux new -A -s main"`)
	for i := range 2 {
		r.down()
		s.expect(`lost \([a-z ]+\): attempt \d+ in 1 s`)
		s.expect(`attempt \d+ \.\.\.`)
		s.expect(`attempt (\d+) in 1 s`)
		r.up(r.same)
		s.expect(`re-established after [\d.ms]+, at attempt \d+\. RemoteCommand is run again\.`)
		s.expect(fmt.Sprintf(`session %d: "tmux new -A -s main"`, i+2))
	}
	s.send("exit 0\r")
	s.wantEnd(0)
}

// TestReconnectAsks: a question has the terminal to itself.
func TestReconnectAsks(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	s := w.onScreen(w.gossh(append(slowly, "sshtest")...))
	s.resize(120, 24)
	s.expect(`session 1`)
	r.down()
	s.expect(lostLine)
	r.up(func(o *sshtest.Options) { o.Users = []sshtest.User{{Name: sshtest.DefaultUser, Password: "sesame"}} })
	s.send("\r")
	s.expect(`\r\n\r?test@sshtest's password: `)
	s.untilModes("without echo", noEcho)
	s.send("wrong\r")
	s.expect(`Permission denied, please try again\.\r+\n`)
	s.expect(`password: `)
	s.untilModes("without echo", noEcho)
	s.send("sesame\r")
	s.expect(`This is a new shell\.`)
	s.expect(`session 2`)
	s.untilModes("raw", isRaw)
	s.send("exit 0\r")
	s.wantEnd(0)
}

// TestReconnectNarrow: the line never takes more than one of the screen.
func TestReconnectNarrow(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	s := w.onScreen(w.gossh(append(slowly, "sshtest")...))
	s.resize(60, 24)
	s.expect(`session 1`)
	r.down()
	line := s.expect(`\r(127\.0\.0\.1 lost: attempt 1 in (?:600|5\d\d) s \[Enter: now, ~\.: end\])`)
	if len(line) >= 60 {
		t.Errorf("%d characters", len(line))
	}
	s.resize(20, 24)
	s.expect(`\rLost: attempt 1 in `)
	s.send("~.")
	s.wantEnd(255)
}

// TestReconnectCommand: a command of the command line may have done its work
// before the connection was lost, so it runs once unless it was said always.
func TestReconnectCommand(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, mode string) (*restarted, *exec.Cmd, io.Reader, *bytes.Buffer) {
		w, r := withRestarts(t, sshtest.Options{})
		cmd := w.gossh("-o", "Reconnect="+mode, "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1", "sshtest", "deploy", "now")
		stderr := new(bytes.Buffer)
		cmd.Stderr = stderr
		if _, err := cmd.StdinPipe(); err != nil { // stays open
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line := readLine(t, out); line != `session 1: "deploy now"`+"\r" {
			t.Fatalf("got %q", line)
		}
		r.down()
		return r, cmd, out, stderr
	}
	t.Run("yes", func(t *testing.T) {
		t.Parallel()
		r, cmd, out, stderr := start(t, "yes")
		r.up(r.same)
		rest, _ := io.ReadAll(out)
		cmd.Wait()
		n, _ := r.connections()
		words := regexp.MustCompile(`^Connection to 127\.0\.0\.1 closed by remote host\.\r\n$|^client_loop: send disconnect: Broken pipe\r\n|Connection reset by peer\r\n$`)
		if cmd.ProcessState.ExitCode() != 255 || !words.MatchString(stderr.String()) || len(rest) > 0 || n != 1 {
			t.Errorf("%v, stderr %q, stdout %q, %d connections", cmd.ProcessState, stderr, rest, n)
		}
	})
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		r, cmd, out, stderr := start(t, "always")
		r.opts.Handler = sshtest.Say("done\n", "", sshtest.Status(4))
		r.up(r.same)
		rest, _ := io.ReadAll(out)
		cmd.Wait()
		want := regexp.MustCompile(`^[-\d]+ [:\d]+ Connection to 127\.0\.0\.1 lost after [\d.ms]+: [a-z ]+\. Attempt 1 in [\d.]+m?s\.\r\n` +
			`([^\n]*has failed[^\n]*\n)*[-\d]+ [:\d]+ Connection to 127\.0\.0\.1 re-established after [\d.ms]+, at attempt \d+\.\r\n$`)
		if cmd.ProcessState.ExitCode() != 4 || string(rest) != "done\n" || !want.MatchString(stderr.String()) {
			t.Errorf("%v, stdout %q, stderr %q", cmd.ProcessState, rest, stderr)
		}
	})
}

// TestReconnectFirst: the first connection fails as any other.
func TestReconnectFirst(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	r.down()
	for _, args := range [][]string{{"-N", "sshtest"}, {"-tt", "sshtest"}} {
		plain := w.run(w.gossh(args...))
		o := w.run(w.gossh(append([]string{"-o", "Reconnect=yes"}, args...)...))
		o.want(t, 255, "", &plain.stderr)
	}
	if n, _ := r.connections(); n != 4 {
		t.Errorf("%d connections", n)
	}
}

// TestReconnectForwards is what autossh is for: forwards that are back after
// each loss, a log that says what happened, an orderly end.
func TestReconnectForwards(t *testing.T) {
	t.Parallel()
	srv := sshtest.NewServer(t, nil)
	p := linkTo(t, srv.Addr())
	w := newWorld(t)
	w.write("known_hosts", "sshtest "+string(ssh.MarshalAuthorizedKey(srv.HostKey())))
	key := w.write("id", string(srv.ClientKeyPEM()))
	echo := echoes(t)
	local, remote := closedPort(t), closedPort(t)
	cmd, log := w.service("-N", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1",
		"-o", "HostKeyAlias=sshtest", "-o", "UserKnownHostsFile="+w.path("known_hosts"), "-i", key, "-o", "IdentityAgent=none",
		"-L", fmt.Sprintf("%d:127.0.0.1:%d", local, echo), "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echo),
		"-o", "ExitOnForwardFailure=yes", "-p", fmt.Sprint(p.Port()), "test@127.0.0.1")
	for _, fault := range []struct {
		do  func()
		why string
	}{{func() {}, ""}, {p.Cut, `[a-z ]+`}, {p.Reset, `connection reset by peer`}} {
		fault.do()
		if fault.why != "" {
			log.expect(fmt.Sprintf(`(?m)^\d{4}-\d\d-\d\d [:\d]{8} Connection to 127\.0\.0\.1 lost after [\d.ms]+: %s\. Attempt 1 in [\d.]+m?s\.\r$`, fault.why))
			log.expect(`(?m)^[-\d]+ [:\d]+ Connection to 127\.0\.0\.1 re-established after [\d.ms]+, at attempt 1\.\r$`)
		}
		for _, port := range []int{local, remote} {
			eventually(t, "the forward is back", func() bool { return answers(port) })
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if status := log.wait(cmd); status != 0 {
		t.Errorf("status %d\n%s", status, log.text())
	}
}

// TestReconnectHeldPort: the server holds the port of a connection that it has
// not given up; only that forward waits.
func TestReconnectHeldPort(t *testing.T) {
	t.Parallel()
	var refuse atomic.Int32
	w, r := withRestarts(t, sshtest.Options{OnRequest: func(rec sshtest.Record) sshtest.Reaction {
		if rec.Type == "tcpip-forward" && refuse.Add(-1) >= 0 {
			return sshtest.Reaction{Verdict: sshtest.Refuse}
		}
		return sshtest.Reaction{}
	}})
	remote := closedPort(t)
	cmd, log := w.service("-N", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1",
		"-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echoes(t)), "sshtest")
	eventually(t, "the forward is there", func() bool { return answers(remote) })
	refuse.Store(2)
	r.down()
	r.up(r.same)
	log.expect(`re-established`)
	log.expect(fmt.Sprintf(`Warning: remote forwarding of %d is not possible yet: refused by the server\. It will be tried again\.\r\n`, remote))
	log.expect(fmt.Sprintf(`Remote forwarding of %d is back at attempt 3\.\r\n`, remote))
	if !answers(remote) {
		t.Error("it is not")
	}
	cmd.Process.Signal(syscall.SIGINT)
	if status := log.wait(cmd); status != 255 || strings.Count(log.text(), "lost") != 1 {
		t.Errorf("status %d\n%s", status, log.text())
	}
}

// TestReconnectFinal: what no attempt would mend is the end, in the words that
// it always has.
func TestReconnectFinal(t *testing.T) {
	t.Parallel()
	other, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		change func(*sshtest.Options)
		words  string
	}{
		"host key": {nil, func(o *sshtest.Options) { o.HostKeys = []ssh.Signer{other} }, `Host key verification failed\.\r\n$`},
		"host key, unchecked": {[]string{"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}, func(o *sshtest.Options) { o.HostKeys = []ssh.Signer{other} },
			`REMOTE HOST IDENTIFICATION HAS CHANGED![^$]*Host key for sshtest has changed since the connection that was lost\.\r\nHost key verification failed\.\r\n$`},
		"host key, master": {[]string{"-M", "-S", shortPath(t), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}, func(o *sshtest.Options) { o.HostKeys = []ssh.Signer{other} },
			`REMOTE HOST IDENTIFICATION HAS CHANGED![^$]*Host key verification failed\.\r\n$`},
		"key refused": {nil, func(o *sshtest.Options) { o.Users[0].Keys = []ssh.PublicKey{other.PublicKey()} }, `test@127\.0\.0\.1: Permission denied \(publickey\)\.\r\n`},
		"attempts":    {[]string{"-o", "ReconnectAttempts=2"}, nil, `Connection (closed|reset) by 127\.0\.0\.1 port \d+\r\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := withRestarts(t, sshtest.Options{})
			cmd, log := w.service(append(c.args, "-N", "-o", "BatchMode=yes", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1",
				"-L", fmt.Sprintf("%d:127.0.0.1:1", closedPort(t)), "sshtest")...)
			eventually(t, "it is connected", func() bool { n, _ := r.connections(); return n == 1 && len(r.current().Conns()) == 1 })
			r.down()
			if c.change != nil {
				r.up(c.change)
			}
			log.expect(`given up after attempt \d`)
			log.expect(c.words)
			if status := log.wait(cmd); status != 255 {
				t.Errorf("status %d", status)
			}
		})
	}
}

// echoes starts a TCP service that echoes its input, and returns its port.
func echoes(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(c net.Conn) { io.Copy(c, c) })
	return l.Addr().(*net.TCPAddr).Port
}

// answerTime bounds the answer of a forward that works. One that has lost its
// connection may never answer.
const answerTime = 10 * time.Second

// answers reports whether a forward to echoes works.
func answers(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(answerTime))
	io.WriteString(c, "hello")
	buf := make([]byte, 5)
	_, err = io.ReadFull(c, buf)
	return err == nil && string(buf) == "hello"
}

// TestReconnectBackground: -f comes back once it is connected, and what stays
// keeps the connection.
func TestReconnectBackground(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	remote := closedPort(t)
	logFile := w.path("log")
	w.run(w.gossh("-f", "-N", "-E", logFile, "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1",
		"-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echoes(t)), "sshtest")).want(t, 0, "", silent())
	pids := w.background(logFile)
	if len(pids) != 1 {
		t.Fatalf("processes in the background: %v", pids)
	}
	for i := range 2 {
		r.down()
		eventually(t, "the loss is noticed", func() bool { return strings.Count(w.read("log"), " lost after ") == i+1 })
		r.up(r.same)
		eventually(t, "the forward is back", func() bool { return answers(remote) })
	}
	syscall.Kill(pids[0], syscall.SIGTERM)
	eventually(t, "it ends", func() bool { return !alive(pids[0]) })
}

// TestReconnectDialEnds: a signal ends an attempt that hangs.
func TestReconnectDialEnds(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	cmd, log := w.service("-N", "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1", "-v", "sshtest")
	log.expect(`Authenticated to`)
	r.down()
	r.up(func(o *sshtest.Options) { o.Faults.StallAt = sshtest.StageVersion })
	log.expect(` lost after `)
	log.expect(`remote software version|Connection established`)
	cmd.Process.Signal(syscall.SIGTERM)
	if status := log.wait(cmd); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestReconnectMaster: the control socket stays while the connection is made
// again.
func TestReconnectMaster(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	socket := shortPath(t)
	cmd, log := w.service("-N", "-M", "-S", socket, "-o", "Reconnect=yes", "-o", "ReconnectMinDelay=1", "-o", "ReconnectMaxDelay=1", "sshtest")
	running := func() bool {
		o := w.run(w.gossh("-S", socket, "-O", "check", "sshtest"))
		return o.status == 0
	}
	eventually(t, "the master runs", running)
	r.down()
	log.expect(` lost after `)
	if !running() {
		t.Error("the master's socket is gone")
	}
	r.up(r.same)
	log.expect(`re-established`)
	eventually(t, "the master runs again", running)
	cmd.Process.Signal(syscall.SIGTERM)
	if status := log.wait(cmd); status != 0 {
		t.Errorf("status %d", status)
	}
}

// shortPath returns a path that is short enough for a socket, which the test's
// folder is not.
func shortPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gossh-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}
