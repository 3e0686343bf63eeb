//go:build linux

package integration_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestShell(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("sshd"))
	before := s.before
	s.expect(`remote\$ `)
	s.send("echo $TERM; stty size\r")
	s.expect(`xterm\r\n24 80\r\n`)
	// A resize is a signal to the program, then a message to the server, then
	// a signal to what is in the foreground there.
	s.expect(`remote\$ `)
	s.send(`sh -c 'trap "stty size" WINCH; echo trapped; while sleep 0.1; do :; done'` + "\r")
	s.expect(`\r\ntrapped\r\n`)
	s.resize(123, 45)
	s.expect(`45 123\r\n`)
	s.send("\x03")
	s.expect(`remote\$ `)
	s.send("sh -c 'echo between; exec sleep 1000'\r")
	s.expect(`\r\nbetween\r\n`)
	s.send("\x03")
	s.expect(`remote\$ `)
	s.send("exit 6\r")
	s.expect(`Connection to 127\.0\.0\.1 closed\.[\r\n]+`)
	s.wantEnd(6)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
}

func TestVim(t *testing.T) {
	t.Parallel()
	need(t, "vim")
	w := withSSHD(t, opensshd.Options{})
	file := w.write("text", "first\nlast\n")
	s := w.onScreen(w.gossh("-t", "sshd", "vim -u NONE -i NONE -n "+file))
	s.expect(`first`)
	s.expect(`last`)
	s.send("osecond line\x1b")
	s.expect(`second line`)
	s.send(":wq\r")
	s.expect(`Connection to 127\.0\.0\.1 closed\.`)
	s.wantEnd(0)
	if got := w.read("text"); got != "first\nsecond line\nlast\n" {
		t.Errorf("got %q", got)
	}
}

func TestPaste(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("-t", "sshd", "stty raw -echo; echo ready; head -c 204800 | sha256sum"))
	s.expect("ready")
	text := make([]byte, 204800)
	noise(int64(len(text))).Read(text)
	// Noise may hold the escape character behind a line end.
	for i := range text {
		if text[i] == '~' {
			text[i] = '-'
		}
	}
	want := fmt.Sprintf("%x", sha256.Sum256(text))
	go s.ptm.Write(text) // ends with the session at the latest
	s.expect(want)
	s.wantEnd(0)
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("-L", "127.0.0.1:"+fmt.Sprint(closedPort(t))+":127.0.0.1:1", "sshd"))
	s.expect(`remote\$ `)
	escape := func(keys string) {
		s.send("\r")
		s.expect(`remote\$ `)
		s.send(keys)
	}
	s.send("~?")
	s.expect(`~\?\r\nSupported escape sequences:\r\n ~\.   - terminate connection`)
	s.expect(`immediately after newline\.\)\r\n`)
	escape("~#")
	s.expect(`~#\r\nThe following connections are open:\r\n`)
	s.expect(`server last heard`)
	escape("~v")
	s.expect(`~v \[LogLevel VERBOSE\]\r\n`)
	escape("~V")
	s.expect(`~V \[LogLevel INFO\]\r\n`)
	escape("~B")
	s.expect(`~B\r\n`)
	s.send("\recho '\r~~two' ~~one\r")
	s.expect(`\r\n~two ~~one\r\n`)
	s.send("\r~x\x15echo on\r") // not an escape: both are sent
	s.expect(`~x`)
	s.expect(`\r\non\r\n`)
	s.send("~")
	s.send(".")
	s.expect(`Connection to 127\.0\.0\.1 closed\.[\r\n]+`)
	s.wantEnd(255)
}

func TestEscapeChar(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	for _, args := range [][]string{{"-e", "none"}, {"-o", "EscapeChar=none"}} {
		s := w.onScreen(w.gossh(append(args, "sshd")...))
		s.expect(`remote\$ `)
		s.send("\r~.\recho on\r")
		s.expect(`\r\non\r\n`)
		s.send("exit\r")
		s.wantEnd(0)
	}
	for _, char := range []string{"%", "^]"} {
		s := w.onScreen(w.gossh("-e", char, "sshd"))
		s.expect(`remote\$ `)
		s.send("\r~.\recho on\r")
		s.expect(`\r\non\r\n`)
		if char == "^]" {
			s.send("\x1d.")
		} else {
			s.send("%.")
		}
		s.expect(`Connection to 127\.0\.0\.1 closed\.`)
		s.wantEnd(255)
	}
	// Without a terminal there are no escapes.
	cmd := w.gossh("-e", "~", "sshd", "cat")
	cmd.Stdin = strings.NewReader("\n~.\n~?\n")
	w.run(cmd).want(t, 0, "\n~.\n~?\n", silent())
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.shell()
	before := s.modes()
	s.send(w.line("sshd") + "\n")
	s.expect(`remote\$ `)
	s.untilModes("raw", isRaw)
	for range 2 {
		s.send("\r~\x1a")
		s.expect(`~\^Z \[suspend ssh\]\r\n`)
		s.expect(`Stopped`)
		s.expect(`local\$ `)
		if s.modes() != before {
			t.Errorf("modes while stopped %+v, before %+v", s.modes(), before)
		}
		s.resize(100, 30)
		s.send("jobs; fg\n")
		s.expect(`Stopped`)
		s.untilModes("raw", isRaw)
		s.send("stty size\r")
		s.expect(`30 100\r\n`)
	}
	s.send("exit\r")
	s.expect(`closed\.[\r\n]+`)
	s.expect(`local\$ `)
	s.send("echo status $?\n")
	s.expect(`status 0\r\n`)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
}

// TestBackgroundJob: a session that a shell runs in the background stops when
// it wants the terminal, and goes on in the foreground.
func TestBackgroundJob(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.shell()
	before := s.modes()
	s.send(w.line("-t", "sshd", "echo here; cat") + " &\n")
	s.expect(`local\$ `)
	s.send("wait %1; echo waited\n")
	s.expect(`Stopped`)
	s.expect(`waited\r\n`)
	if s.modes() != before {
		t.Errorf("modes in the background %+v, before %+v", s.modes(), before)
	}
	s.send("fg\n")
	s.expect(`here\r\n`)
	s.send("\x04")
	s.expect(`Connection to 127\.0\.0\.1 closed\.`)
	s.expect(`local\$ `)
}

func TestTTYFlags(t *testing.T) {
	t.Parallel()
	opensshd.NeedTerminals(t)
	w := withSSHD(t, opensshd.Options{})
	t.Run("-tt without a terminal", func(t *testing.T) {
		w.likeSSH(t, []string{"-tt", "sshd", "tty >/dev/null && echo terminal; stty size"})
	})
	t.Run("-tt input", func(t *testing.T) {
		cmd := w.gossh("-tt", "sshd", "stty -echo; echo ready; read line; echo got $line")
		in, out := startPiped(t, cmd)
		if got := readLine(t, out); got != "ready\r" {
			t.Errorf("got %q", got)
		}
		fmt.Fprintln(in, "this")
		if got := readLine(t, out); got != "got this\r" {
			t.Errorf("got %q", got)
		}
		cmd.Wait()
	})
	t.Run("-T on a terminal", func(t *testing.T) {
		s := w.onScreen(w.gossh("-T", "sshd", "tty; echo 'é'"))
		s.expect(`not a tty\r\né\r\n`)
		s.wantEnd(0)
		if strings.Contains(s.text(), "closed") {
			t.Errorf("got %q", s.text())
		}
	})
	t.Run("command on a terminal", func(t *testing.T) {
		// Without a remote tty the session leaves the local one as it is.
		s := w.onScreen(w.gossh("sshd", "read line; echo got $line; exit 3"))
		s.send("typed\n")
		s.expect(`typed\r\ngot typed\r\n`)
		s.wantEnd(3)
	})
	t.Run("input is no terminal", func(t *testing.T) {
		cmd := w.gossh("sshd", "tty; cat")
		cmd.Stdin = strings.NewReader("in\n")
		s := w.onScreen(cmd)
		s.expect(`not a tty\r\nin\r\n`)
		s.wantEnd(0)
	})
}

// TestTTYModes compares what arrives of the terminal's modes.
func TestTTYModes(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	const ask = "stty -a; echo end"
	shown := func(s *screen) string {
		modes := s.modes()
		modes.Cc[unix.VERASE] = 8
		modes.Cc[unix.VINTR] = 7
		modes.Lflag |= unix.ECHOPRT
		modes.Iflag |= unix.IUTF8 | unix.IGNBRK
		if err := unix.IoctlSetTermios(int(s.pts.Fd()), unix.TCSETS, &modes); err != nil {
			t.Fatal(err)
		}
		s.send("\n")
		text := s.expect(`(?s)(speed.*)end\r\n`)
		s.wait()
		return text
	}
	wait := "read line; exec "
	prepare := func(program string) *screen {
		words := append([]string{program}, w.pre...)
		return w.onScreen(w.tool("sh", "-c", wait+strings.Join(words, " ")+" -t sshd '"+ask+"'"))
	}
	got, want := shown(prepare(gosshPath)), shown(prepare("ssh"))
	if got != want {
		t.Errorf("got\n%s\nwith ssh\n%s", got, want)
	}
}
