//go:build linux

package integration_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// askingProxy is a ProxyCommand that asks on the terminal before it connects.
// It writes its process ID to a file.
func askingProxy(w *world) (proxy string, pid func() int) {
	need(w.t, "nc")
	script := w.script("proxy", fmt.Sprintf("echo $$ >%s\nprintf 'Proxy? ' >/dev/tty\nread x </dev/tty || exit 1\necho \"got $x\" >/dev/tty\nexec nc 127.0.0.1 %d",
		w.path("proxy.pid"), w.srv.Port))
	return "ProxyCommand=" + script, func() int {
		pid, err := strconv.Atoi(strings.TrimSpace(w.read("proxy.pid")))
		if err != nil {
			w.t.Fatal(err)
		}
		return pid
	}
}

// TestMasterOutlivesTerminal: neither keys nor the end of the terminal on which
// a persistent master began meet its ProxyCommand, which could ask there.
func TestMasterOutlivesTerminal(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	m := w.persistent("sshd", "yes")
	proxy, pid := askingProxy(w)
	args := m.args("-o", proxy, "sshd")
	s := w.shell()
	s.send(w.line(append(args, "echo up; exec sleep 1000")...) + "\r")
	s.expect(`Proxy\? `)
	s.send("swordfish\r")
	s.expect(`got swordfish\r\n`)
	s.expect(`up\r\n`)
	for _, key := range []string{"\x03", "\x1c"} {
		s.send(key)
		s.expect(`local\$ `)
		s.send(w.line(append(args, "echo a'gain'; exec sleep 1000")...) + "\r")
		s.expect(`again\r\n`) // without a question
	}
	s.cmd.Process.Signal(syscall.SIGHUP) // the terminal has gone: the shell passes it on to its jobs
	<-s.ended
	m.run("exit 3").want(t, 3, "", silent())
	m.control("exit")
	awaitEnd(t, pid())
}

// TestProxyQuestionKeys: while the ProxyCommand of a persistent master asks,
// keys do what they do with any program.
func TestProxyQuestionKeys(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	m := w.persistent("sshd", "yes")
	proxy, pid := askingProxy(w)
	line := w.line(m.args("-o", proxy, "sshd", "echo up")...) + "; echo status $?\r"
	s := w.shell()
	for key, status := range map[string]int{"\x03": 130, "\x1c": 131} {
		s.send(line)
		s.expect(`Proxy\? `)
		s.send(key)
		if key == "\x1c" { // bash gives up the whole line at the other
			s.expect(fmt.Sprintf(`status %d\r\n`, status))
		}
		s.expect(`local\$ `)
		awaitEnd(t, pid())
	}
	s.send(line)
	s.expect(`Proxy\? `)
	s.send("\x1a")
	s.expect(`Stopped`)
	s.expect(`local\$ `)
	s.send("fg\r")
	s.expect(`proxy`) // the line of the job
	s.send("later\r")
	s.expect(`got later\r\n`)
	s.expect(`up\r\n`)
	m.control("exit")
	awaitEnd(t, pid())
	s.send("exit\r")
	<-s.ended
}
