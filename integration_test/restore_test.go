//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestRestored ends an interactive session in every way there is. The terminal
// has to be as it was, and status and last words those of ssh.
func TestRestored(t *testing.T) {
	t.Parallel()
	lost := []string{"-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=1"} // long for a server that is merely slow
	for _, way := range []struct {
		name string
		args []string
		end  func(s *screen, link *faultnet.Proxy)
	}{
		{"exit", nil, func(s *screen, _ *faultnet.Proxy) { s.send("exit 3\r") }},
		{"end of input", nil, func(s *screen, _ *faultnet.Proxy) { s.send("\x04") }},
		{"escape", nil, func(s *screen, _ *faultnet.Proxy) { s.send("\r~.") }},
		{"SIGTERM", nil, func(s *screen, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGINT", nil, func(s *screen, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGINT) }},
		{"SIGHUP", nil, func(s *screen, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGHUP) }},
		{"SIGQUIT", []string{"-o", "LogLevel=VERBOSE"}, func(s *screen, _ *faultnet.Proxy) { s.cmd.Process.Signal(syscall.SIGQUIT) }},
		{"server killed", nil, func(s *screen, _ *faultnet.Proxy) {
			s.send("sh -c 'stty -echo; echo ready; read x; kill -9 '$PPID\r")
			s.expect(`\r\nready\r\n`)
			s.send("\r")
		}},
		{"shell killed", nil, func(s *screen, _ *faultnet.Proxy) { s.send("kill -9 $$\r") }},
		{"cut", nil, func(s *screen, link *faultnet.Proxy) { link.Cut() }},
		{"reset", nil, func(s *screen, link *faultnet.Proxy) { link.Reset() }},
		{"peer lost", lost, func(s *screen, link *faultnet.Proxy) { link.BlackHole(faultnet.Both) }},
		{"peer lost, stalled", lost, func(s *screen, link *faultnet.Proxy) { link.Stall(faultnet.Both) }},
		{"escape with a lost peer", nil, func(s *screen, link *faultnet.Proxy) {
			link.Stall(faultnet.Both)
			s.send("\r~.")
		}},
		{"SIGTERM with a lost peer", nil, func(s *screen, link *faultnet.Proxy) {
			link.Stall(faultnet.Both)
			s.cmd.Process.Signal(syscall.SIGTERM)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			w := withSSHD(t, opensshd.Options{})
			got, status := w.ending(gosshPath, way.args, way.end)
			want, sshStatus := w.ending("ssh", way.args, way.end)
			if got != want || status != sshStatus {
				t.Errorf("status %d, last words %q\nssh: %d, %q", status, got, sshStatus, want)
			}
		})
	}
}

// ending runs an interactive session to its end, and returns the output after
// its beginning, and the status.
func (w *world) ending(program string, args []string, end func(*screen, *faultnet.Proxy)) (string, int) {
	t := w.t
	t.Helper()
	link := linkTo(t, w.srv.Addr)
	args = append(args, "-p", fmt.Sprint(link.Port()), "sshd")
	s := w.onScreen(w.command(program, args...))
	before := s.before
	s.expect(`remote\$ `)
	s.untilModes("raw", isRaw)
	end(s, link)
	status := s.wait()
	if s.modes() != before {
		t.Errorf("%s: modes %+v, before %+v", program, s.modes(), before)
	}
	s.send("behind\n") // its echo is behind all that was written
	s.expect(`behind\r\n`)
	text := strings.TrimSuffix(s.text(), "behind\r\n")
	// What the server still echoed of the last line is a matter of timing, be it
	// with the next prompt or without, and whether a line was written before or
	// behind the end of raw mode is not to be seen.
	text = strings.ReplaceAll(text[strings.LastIndex(text, "remote$ ")+len("remote$ "):], "\r\r\n", "\r\n")
	return strings.TrimPrefix(text, "\r\n"), status
}

// TestInterruptedCommand: without a remote terminal the session ends by
// the keys of ours.
func TestInterruptedCommand(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	for _, key := range []string{"\x03", "\x1c"} {
		var texts []string
		var statuses []int
		for _, program := range []string{gosshPath, "ssh"} {
			s := w.onScreen(w.command(program, "sshd", "echo ready; exec sleep 1000"))
			s.expect(`ready\r\n`)
			s.send(key)
			statuses = append(statuses, s.wait())
			s.send("behind\n")
			s.expect(`behind\r\n`)
			texts = append(texts, s.text())
		}
		if texts[0] != texts[1] || statuses[0] != statuses[1] {
			t.Errorf("%q: status %d, %q\nssh %d, %q", key, statuses[0], texts[0], statuses[1], texts[1])
		}
	}
}

// TestRefusedLeavesTerminal: nothing has happened to a terminal that no
// session was given.
func TestRefusedLeavesTerminal(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	s := w.onScreen(w.gossh("-F", w.configWithout("IdentityFile", "IdentityFile none"), "sshd"))
	before := s.before
	s.expect(`Permission denied \(publickey`)
	s.wantEnd(255)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
}

// TestTypedAhead: what is typed once the session has ended is for the next
// program, although this one still waits for a forwarded connection.
func TestTypedAhead(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() { // ends with the listener
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	port := closedPort(t)
	forward := fmt.Sprintf("127.0.0.1:%d:%s", port, echo.Addr())
	s := w.onScreen(w.tool("sh", "-c", w.line("-t", "-L", forward, "sshd", "stty -echo; echo ready; read line; echo over")+
		`; read line; echo "next got $line"`))
	before := s.before
	s.expect(`ready`)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "there and back")
	if got := readLine(t, c); got != "there and back" {
		t.Fatalf("got %q", got)
	}
	s.send("\r")
	s.expect(`over\r\n`)
	eventually(t, "the modes are back", func() bool { return s.modes() == before })
	s.send("keys\n")
	s.expect(`keys\r\n`)
	fmt.Fprintln(c, "still there")
	if got := readLine(t, c); got != "still there" {
		t.Errorf("got %q", got)
	}
	c.Close()
	s.expect(`next got keys\r\n`)
	s.wantEnd(0)
}
