//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// onMaster runs a test for each pair of a master and a client. It gets a function
// that begins a session of the client on a terminal.
func onMaster(t *testing.T, test func(t *testing.T, master string, begin func(args ...string) *screen)) {
	t.Helper()
	need(t, "ssh", "bash")
	pairs(t, func(t *testing.T, master, client string) {
		w := muxServer(t, "")
		m := w.master(master)
		test(t, master, func(args ...string) *screen {
			t.Helper()
			cmd := m.client(client, args...)
			cmd.Env = append(w.env[:len(w.env):len(w.env)], "TERM=vt100")
			return w.onScreen(cmd)
		})
	})
}

const sharedClosed = `Shared connection to 127\.0\.0\.1 closed\.\r+\n`

// wantRestored fails the test unless the terminal is as before the session.
func (s *screen) wantRestored() {
	s.t.Helper()
	if modes := s.modes(); modes != s.before {
		s.t.Errorf("modes %+v, before %+v", modes, s.before)
	}
}

// TestMuxTerminalSize: the session has the client's TERM and size, and follows
// its changes.
func TestMuxTerminalSize(t *testing.T) {
	t.Parallel()
	onMaster(t, func(t *testing.T, _ string, begin func(...string) *screen) {
		s := begin("-t", "sshd", `echo $TERM; stty size; trap 'stty size; exit 4' WINCH; echo ready; while sleep 0.02; do :; done`)
		// What comes before the client has made its terminal raw gets a second
		// carriage return, with ssh too.
		s.expect(`vt100\r+\n24 80\r+\nready`)
		s.untilModes("raw", isRaw)
		s.resize(101, 33)
		s.cmd.Process.Signal(syscall.SIGWINCH) // it is not in the foreground of a shell
		s.expect(`33 101\r\n`)
		s.expect(sharedClosed)
		s.wantEnd(4)
		s.wantRestored()
	})
}

// TestMuxTerminalShell: a login shell gets 8-bit input, Ctrl-C and Ctrl-D.
func TestMuxTerminalShell(t *testing.T) {
	t.Parallel()
	onMaster(t, func(t *testing.T, _ string, begin func(...string) *screen) {
		s := begin("sshd")
		s.expect(`remote\$ `)
		s.untilModes("raw", isRaw)
		s.send("stty -echo; printf %s 'ä\xff' | od -An -tx1\r")
		s.expect(` c3 a4 ff\r\n`)
		s.send(`sh -c 'trap "echo caught; exit" INT; echo waiting; while sleep 0.02; do :; done'` + "\r")
		s.expect(`waiting\r\n`)
		s.send("\x03")
		s.expect(`caught\r\nremote\$ `)
		s.send("(exit 6)\r\x04")
		s.expect(sharedClosed)
		s.wantEnd(6)
		s.wantRestored()
	})
}

// TestMuxTerminalEscapes: escapes work, whether the client or the master handles
// them.
func TestMuxTerminalEscapes(t *testing.T) {
	t.Parallel()
	onMaster(t, func(t *testing.T, master string, begin func(...string) *screen) {
		s := begin("-t", "sshd", "stty -echo; echo ready; exec cat")
		s.expect(`ready`)
		s.untilModes("raw", isRaw)
		s.send("\r~?")
		s.expect(`Supported escape sequences:\r\n`)
		help := s.expect(`(?s) ~\.   - terminate session\r\n(.*)\(Note that escapes`)
		if strings.Contains(help, "suspend") || strings.Contains(help, "LogLevel") || strings.Contains(help, "command line") {
			t.Errorf("the help has what does not work: %q", help)
		}
		for _, key := range []string{"\x1a", "v", "V", "C", "&"} {
			s.send("\r~" + key)
			s.expect(`~(\^Z|` + key + `) escape not available to multiplexed sessions\r\n`)
		}
		if master == gosshPath { // and ssh since 10.3
			s.send("\r~I")
			s.expect(`~I(\r\n)+Connection information for `) // cat's line comes when it will
		}
		s.send("\r~~twice\r")
		s.expect(`~twice`)
		s.send("\r~#")
		s.expect(`The following connections are open:\r\n`)
		s.send("\r~.")
		s.expect(sharedClosed)
		s.wantEnd(255)
		s.wantRestored()
	})
}

// TestMuxTerminalNoEscapes: with -e none the escapes go to the remote side.
func TestMuxTerminalNoEscapes(t *testing.T) {
	t.Parallel()
	onMaster(t, func(t *testing.T, _ string, begin func(...string) *screen) {
		s := begin("-e", "none", "-t", "sshd", "stty -echo; echo ready; exec cat")
		s.expect(`ready`)
		s.untilModes("raw", isRaw)
		s.send("\r~.\r")
		s.expect(`~\.\r\n`)
		s.send("\x04")
		s.wantEnd(0)
		s.wantRestored()
	})
}

// TestMuxNoTerminal: a server that gives none. With it neither the client nor
// the user's terminal may stay raw.
func TestMuxNoTerminal(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "PermitTTY no\n")
	for _, master := range []string{"ssh", gosshPath} {
		m := w.master(master)
		s := w.onScreen(m.client(gosshPath, "-t", "sshd", "echo said >&2; read x; echo got $x"))
		s.expect(`PTY allocation request failed`)
		s.expect(`said`)
		s.untilModes("its own", func(m unix.Termios) bool { return !isRaw(m) })
		s.send("line\n")
		s.expect(`got line`)
		s.wantEnd(0)
	}
}

// TestMuxRestored ends a session over a master in every way there is. The
// terminal, and what the descriptors share with others, have to be as before.
func TestMuxRestored(t *testing.T) {
	t.Parallel()
	lost := []string{"-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=1"} // long for a server that is merely slow
	for _, way := range []struct {
		name   string
		args   []string // of the master
		end    func(s *screen, m *muxMaster, link *faultnet.Proxy)
		status int
		words  string // before the last line
	}{
		{"exit", nil, func(s *screen, _ *muxMaster, _ *faultnet.Proxy) { s.send("exit 3\r") }, 3, ""},
		{"SIGTERM", nil, func(s *screen, _ *muxMaster, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGTERM) }, 255, ""},
		{"SIGINT", nil, func(s *screen, _ *muxMaster, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGINT) }, 255, ""},
		{"SIGHUP", nil, func(s *screen, _ *muxMaster, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGHUP) }, 255, ""},
		{"master killed", nil, func(_ *screen, m *muxMaster, _ *faultnet.Proxy) { m.cmd.Process.Kill() }, 255, ""},
		{"-O exit", nil, func(_ *screen, m *muxMaster, _ *faultnet.Proxy) { m.control("exit") }, 255, ""},
		{"cut", nil, func(_ *screen, _ *muxMaster, link *faultnet.Proxy) { link.Cut() }, 255, `Connection to 127\.0\.0\.1 closed by remote host\.\r\n`},
		{"peer lost", lost, func(_ *screen, _ *muxMaster, link *faultnet.Proxy) { link.BlackHole(faultnet.Both) }, 255,
			`Timeout, server 127\.0\.0\.1 not responding\.\r\n`},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			w := muxServer(t, "")
			link := linkTo(t, w.srv.Addr)
			w.pre = append(w.pre, "-p", fmt.Sprint(link.Port()))
			m := w.master(gosshPath, way.args...)
			// Another client, on pipes.
			other := m.client(gosshPath, "sshd", "echo up; exec cat")
			in, _ := other.StdinPipe()
			defer in.Close()
			out, _ := other.StdoutPipe()
			var errs strings.Builder
			other.Stderr = &errs
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			readLine(t, out)

			s := w.onScreen(m.client(gosshPath, "sshd"))
			modes, flags := s.before, statusFlags(t, s.pts)
			s.expect(`remote\$ `)
			s.untilModes("raw", isRaw)
			way.end(s, m, link)
			if way.words != "" {
				s.expect(way.words)
			}
			s.expect(`Shared connection to 127\.0\.0\.1 closed\.\r+\n$`)
			s.wantEnd(way.status)
			if s.modes() != modes {
				t.Errorf("modes %+v, before %+v", s.modes(), modes)
			}
			if got := statusFlags(t, s.pts); got != flags {
				t.Errorf("flags %#x, before %#x", got, flags)
			}
			if m.control("check").status == 0 { // it was the end of one session
				in.Close()
			}
			other.Wait()
			if way.words != "" {
				want := strings.ReplaceAll(strings.ReplaceAll(way.words, `\`, ""), "rn", "\r\n")
				if other.ProcessState.ExitCode() != 255 || errs.String() != want {
					t.Errorf("the other client: %v, %q, want %q", other.ProcessState, errs.String(), want)
				}
			}
			// Nobody reads any more: what is typed now is for the next.
			s.send("next\n")
			buf := make([]byte, 100)
			if n, err := s.pts.Read(buf); err != nil || string(buf[:n]) != "next\n" {
				t.Errorf("the next reads %q, %v", buf[:n], err)
			}
		})
	}
}

// statusFlags returns the status flags of a file, which all its descriptors
// share.
func statusFlags(t *testing.T, f *os.File) int {
	t.Helper()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags
}

// TestMuxKilled: a client that is killed leaves the descriptors as they were,
// and the program on the server gets a hang-up.
func TestMuxKilled(t *testing.T) {
	t.Parallel()
	opensshd.NeedTerminals(t)
	w := muxServer(t, "")
	m := w.master(gosshPath)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		for _, tty := range []string{"-T", "-tt"} {
			t.Run(sig.String()+" "+tty, func(t *testing.T) {
				ptm, pts, err := pty.Open()
				if err != nil {
					t.Fatal(err)
				}
				defer ptm.Close()
				defer pts.Close()
				flags := statusFlags(t, pts)
				gone := filepath.Join(t.TempDir(), "gone")
				cmd := m.client(gosshPath, tty, "sshd", "trap 'echo >"+gone+"; exit' HUP PIPE; echo up; while echo on; do sleep 0.05; done; echo >"+gone)
				cmd.Stdin, cmd.Stdout = pts, pts
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				readLine(t, ptm)
				cmd.Process.Signal(sig)
				cmd.Wait()
				eventually(t, "the remote program is gone", func() bool { _, err := os.Stat(gone); return err == nil })
				if got := statusFlags(t, pts); got != flags {
					t.Errorf("flags %#x, before %#x", got, flags)
				}
			})
		}
	}
	m.run("echo still").want(t, 0, "still\n", silent())
	eventually(t, "no session is left", func() bool { return !strings.Contains(m.control("channels").stdout, "session") })
}
