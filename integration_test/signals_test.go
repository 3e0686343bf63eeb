//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
)

// deadly are the signals that end ssh.
var deadly = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGALRM,
	syscall.SIGUSR1, syscall.SIGUSR2}

// TestSignalsLikeSSH: before the session both programs die of a signal, with
// the terminal as it was.
func TestSignalsLikeSSH(t *testing.T) {
	t.Parallel()
	need(t, "ssh")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w, _ := withServer(t, passwordServer())
	none := w.write("no_hosts", "")
	w.write("waiting", "Match exec \"echo waiting >/dev/tty; exec sleep 1000\"\n")
	for name, stage := range map[string]struct {
		args  []string
		reach func(*screen)
	}{
		"configuration": {[]string{"-F", w.path("waiting"), "sshtest"}, func(s *screen) { s.expect("waiting") }},
		"connection": {[]string{"-p", fmt.Sprint(silent.Addr().(*net.TCPAddr).Port), "sshtest"}, func(s *screen) {
			c, err := silent.Accept()
			if err != nil {
				t.Fatal(err)
			}
			s.t.Cleanup(func() { c.Close() })
		}},
		"host key": {[]string{"-o", "UserKnownHostsFile=" + none, "-o", "StrictHostKeyChecking=ask", "sshtest"},
			func(s *screen) { s.expect(`\[fingerprint\]\)\? $`) }},
		"password": {[]string{"sshtest"}, func(s *screen) {
			s.expect("password: $")
			s.untilModes("without echo", noEcho)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, sig := range deadly {
				var ends []string
				for _, program := range []string{gosshPath, "ssh"} {
					cmd := w.command(program, stage.args...)
					if name == "configuration" {
						cmd = w.tool(program, stage.args...)
					}
					s := w.onScreen(cmd)
					stage.reach(s)
					// ssh keeps a signal that comes between its question and
					// its read for the next key.
					eventually(t, "it waits", func() bool { return procState(cmd.Process.Pid) == 'S' })
					cmd.Process.Signal(sig)
					s.wait()
					echo := s.modes().Lflag&syscall.ECHO != 0
					if sig == syscall.SIGUSR1 || sig == syscall.SIGUSR2 {
						echo = true // ssh does not catch them
					}
					ends = append(ends, fmt.Sprintf("%v, echo %t", cmd.ProcessState, echo))
				}
				if ends[0] != ends[1] {
					t.Errorf("%v: %s; ssh: %s", sig, ends[0], ends[1])
				}
			}
		})
	}
}

// TestQuitKey: what is typed is what is sent.
func TestQuitKey(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, passwordServer())
	s := w.onScreen(w.gossh("sshtest"))
	before := s.before
	s.expect("password: $")
	s.untilModes("without echo", noEcho)
	s.send("\x1c")
	s.wait()
	if st := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !st.Signaled() || st.Signal() != syscall.SIGQUIT || s.modes() != before {
		t.Errorf("%v, modes %+v, before %+v\n%q", s.cmd.ProcessState, s.modes(), before, s.tail())
	}
}

// TestSignalsInSession: a session ends with 255, and is died of only by those
// that ssh dies of; a connection without one ends well with SIGTERM.
func TestSignalsInSession(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{
		Users: []sshtest.User{{Name: "test", None: true}},
		Handler: func(s *sshtest.Session) sshtest.Exit {
			io.WriteString(s, "ready\n")
			io.Copy(io.Discard, s) // until the channel closes
			return sshtest.Exit{}
		},
	}, "PermitLocalCommand yes", "LocalCommand echo up")
	for _, c := range []struct {
		sig    syscall.Signal
		args   []string
		status int // -1 is a death by the signal
	}{
		{syscall.SIGINT, nil, 255}, {syscall.SIGTERM, nil, 255}, {syscall.SIGHUP, nil, 255}, {syscall.SIGQUIT, nil, 255},
		{syscall.SIGALRM, nil, -1}, {syscall.SIGUSR1, nil, -1},
		{syscall.SIGTERM, []string{"-N"}, 0}, {syscall.SIGINT, []string{"-N"}, 255}, {syscall.SIGQUIT, []string{"-N"}, 255},
	} {
		s := w.onScreen(w.gossh(append(c.args, "-v", "sshtest", "x")...))
		s.expect("up")
		if c.args == nil {
			s.expect("ready")
		}
		s.cmd.Process.Signal(c.sig)
		if c.status == 0 {
			s.expect(`Transferred: sent `)
			s.expect(`Exit status 0`)
		}
		if got := s.wait(); got != c.status {
			t.Errorf("%v %q: %v, want status %d", c.sig, c.args, s.cmd.ProcessState, c.status)
		}
		if c.status != 0 && strings.Contains(s.text(), "Exit status") {
			t.Errorf("%v %q: ssh dies without its last words", c.sig, c.args)
		}
	}
}
