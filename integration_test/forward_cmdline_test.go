//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

const commandLine = "EnableEscapeCommandline=yes"

// ask types a line at the prompt of ~C and returns the output up to the next
// prompt of the remote shell.
func (s *screen) ask(line string) string {
	s.t.Helper()
	s.send("\r")
	s.expect(`remote\$ `)
	s.send("~C")
	s.expect(`ssh> $`)
	s.send(line + "\r")
	s.untilModes("raw", isRaw)
	s.send("\r")
	return s.expect(`(?s)^(.*?)\r\nremote\$ `)
}

// ports assigns a port to each of the words LOCAL, DYNAMIC and REMOTE in
// arguments, and puts the words back into output.
type ports map[string]int

func newPorts(t *testing.T) ports {
	return ports{"LOCAL": closedPort(t), "DYNAMIC": closedPort(t), "REMOTE": closedPort(t)}
}

func (p ports) in(text string) string {
	for name, port := range p {
		text = strings.ReplaceAll(text, name, fmt.Sprint(port))
	}
	return text
}

func (p ports) out(text string) string {
	for name, port := range p {
		text = strings.ReplaceAll(text, fmt.Sprint(port), name)
	}
	return text
}

// TestCommandLine: what ~C says is what ssh says, and what it opens is open.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	target, busy := greeter(t, "hello"), fmt.Sprint(taken(t, true))
	ours, theirs := newPorts(t), newPorts(t)
	gossh := w.onScreen(w.gossh("-o", commandLine, "sshd"))
	ssh := w.onScreen(w.ssh("-o", commandLine, "sshd"))
	for _, s := range []*screen{gossh, ssh} {
		s.expect(`remote\$ `)
	}
	open := func(name string) { visit(t, "tcp", fmt.Sprintf("127.0.0.1:%d", ours[name]), "hello") }
	closed := func(name string) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ours[name])); err == nil {
			c.Close()
			t.Errorf("%s still answers", name)
		}
	}
	for _, c := range []struct {
		line  string
		check func(string) // of our client
		port  string
	}{
		{line: ""},
		{line: "-"},
		{"-LLOCAL:" + target, open, "LOCAL"},
		{"KL LOCAL", closed, "LOCAL"},
		{line: "-KLLOCAL"},
		{" L 127.0.0.1:LOCAL:" + target, open, "LOCAL"},
		{line: "-KL*:LOCAL"},
		{line: "-KDLOCAL"},
		{"-KL127.0.0.1:LOCAL", closed, "LOCAL"},
		{line: "-DDYNAMIC"},
		{"-KDDYNAMIC", closed, "DYNAMIC"},
		{"-RREMOTE:" + target, open, "REMOTE"},
		{"-KRREMOTE", closed, "REMOTE"},
		{line: "-KRREMOTE"},
		{line: "-L" + busy + ":" + target},
		{line: "-D" + busy},
		{line: "-Lx"}, {line: "-L"}, {line: "-R"}, {line: "-Dx"}, {line: "-KLx"}, {line: "-K"}, {line: "-X"},
		{line: "quit"}, {line: "!true"}, {line: "?"}, {line: "h"},
	} {
		got, want := ours.out(gossh.ask(ours.in(c.line))), theirs.out(ssh.ask(theirs.in(c.line)))
		if got != want {
			t.Errorf("%q: %q, ssh %q", c.line, got, want)
		}
		if c.check != nil {
			c.check(c.port)
		}
	}
	gossh.send("exit\r")
	gossh.wantEnd(0)
}

func TestCommandLineLocal(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("-o", commandLine, "-o", "PermitLocalCommand=yes", "sshd"))
	s.expect(`remote\$ `)
	if got := s.ask("!tty -s && echo on the terminal; exit 3"); !strings.Contains(got, "\r\non the terminal\r\n") {
		t.Errorf("got %q", got)
	}
	if got := s.ask("?"); !strings.Contains(got, "      !args                                  Execute local command\r\r\n") {
		t.Errorf("help %q", got)
	}
}

// TestCommandLineEnds: ^C and ^D leave the prompt alone, and the end of the
// session leaves nothing behind.
func TestCommandLineEnds(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("-o", commandLine, "sshd"))
	before := s.before
	s.expect(`remote\$ `)
	for _, keys := range []string{"half\x03", "\x04"} {
		s.send("\r~C")
		s.expect(`ssh> $`)
		if isRaw(s.modes()) {
			t.Error("raw at the prompt")
		}
		s.send(keys)
		s.untilModes("raw", isRaw)
		s.send("\recho on\r")
		s.expect(`\r\non\r\n`)
		s.expect(`remote\$ `)
	}
	// What the remote side writes meanwhile comes afterwards.
	s.send("(until test -e ~/go; do sleep 0.02; done; echo la''te; : >~/gone) &\r")
	s.expect(`remote\$ `)
	s.send("\r~C")
	s.expect(`ssh> $`)
	w.write("go", "")
	eventually(t, "the remote side has written", func() bool { _, err := os.Stat(w.path("gone")); return err == nil })
	if text := s.text(); strings.Contains(text, "late") {
		t.Errorf("it shows at the prompt: %q", text[max(0, len(text)-200):])
	}
	s.send("\r")
	s.expect(`late\r\n`)
	s.send("exit\r")
	s.wantEnd(0)
	if s.modes() != before {
		t.Error("the modes are not what they were")
	}
	// A server that hangs up during the prompt ends it.
	s = w.onScreen(w.gossh("-o", commandLine, "sshd"))
	s.expect(`remote\$ `)
	s.send("(until test -e ~/stop; do sleep 0.02; done; kill $PPID) &\r")
	s.expect(`remote\$ `)
	s.send("\r~C")
	s.expect(`ssh> `)
	w.write("stop", "")
	s.wantEnd(255)
	if s.modes() != before {
		t.Error("the modes are not what they were after a hang-up")
	}
}

func TestCommandLineDisabled(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("sshd"))
	s.expect(`remote\$ `)
	s.send("\r~C")
	s.expect(`commandline disabled\r\n`)
	s.send("\r~?")
	if help := s.expect(`(?s)Supported.*newline\.\)`); strings.Contains(help, "~C") {
		t.Errorf("help %q", help)
	}
	s.send("\rexit\r")
	s.wantEnd(0)
}

// TestQuestionInSession: UpdateHostKeys asks in the middle of a session, and
// the answer does not reach the session.
func TestQuestionInSession(t *testing.T) {
	t.Parallel()
	next, err := sshtest.NewSigner("ecdsa-sha2-nistp256")
	if err != nil {
		t.Fatal(err)
	}
	typed := make(chan string, 1)
	w, _ := withServer(t, sshtest.Options{
		Users:            []sshtest.User{{Name: "test", None: true}},
		AnnounceHostKeys: true,
		NextHostKeys:     []ssh.Signer{next},
		Handler: func(s *sshtest.Session) sshtest.Exit {
			line := make([]byte, 0, 16)
			for len(line) == 0 || line[len(line)-1] != '\r' {
				b := make([]byte, 1)
				if _, err := s.Read(b); err != nil {
					break
				}
				line = append(line, b...)
			}
			typed <- string(line)
			return sshtest.Exit{}
		},
	}, "UpdateHostKeys ask")
	s := w.onScreen(w.gossh("sshtest"))
	s.expect(`Accept updated hostkeys\? \(yes/no\): $`)
	s.send("yes\r") // before the session has started, or after
	s.untilModes("raw", isRaw)
	s.send("for the session\r")
	if got := <-typed; got != "for the session\r" {
		t.Errorf("the session gets %q", got)
	}
	s.wantEnd(0)
	eventually(t, "the new key is on file", func() bool {
		return regexp.MustCompile(`ecdsa-sha2-nistp256`).MatchString(w.read("known_hosts"))
	})
}
