//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

var counted = regexp.MustCompile(`\d+(\.\d+)?`)

// TestLastWords: what is said at LogLevel VERBOSE of how a connection ended,
// the figures apart, is what ssh says. It dies of some ends on the spot, and
// counts no bytes then.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*faultnet.Proxy, io.WriteCloser){
		"session ends": func(_ *faultnet.Proxy, in io.WriteCloser) { in.Close() },
		"corrupted": func(p *faultnet.Proxy, in io.WriteCloser) {
			sent, _ := p.Bytes(faultnet.Down)
			p.CorruptAt(faultnet.Down, sent+20) // behind the length
			io.WriteString(in, "x")
		},
		"cut": func(p *faultnet.Proxy, _ io.WriteCloser) { p.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			w := withSSHD(t, opensshd.Options{})
			p := linkTo(t, w.srv.Addr)
			said := func(program func(...string) *exec.Cmd) outcome {
				// With these the length is not encrypted.
				cmd := program("-o", fmt.Sprint("Port=", p.Port()), "-o", "LogLevel=VERBOSE", "-c", "aes128-ctr", "-m", "hmac-sha2-256-etm@openssh.com",
					"-o", "ServerAliveInterval=0", "sshd", "echo up; cat")
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out := &firstBytes{came: make(chan struct{})}
				cmd.Stdout = out
				var errs bytes.Buffer
				cmd.Stderr = &errs
				go func() { // ends with the first output, or with the test
					select {
					case <-out.came:
						end(p, in)
					case <-t.Context().Done():
					}
				}()
				o := w.run(cmd)
				o.stderr = counted.ReplaceAllString(errs.String(), "N")
				return o
			}
			compare(t, name, said(w.gossh), said(w.ssh))
		})
	}
}

// TestEndWithOthers: a session ends while somebody else uses the connection.
// They are waited for, and only then is the connection said to be closed; but
// the escape ~., an interrupt and a lost connection end it at once.
func TestEndWithOthers(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*world, int, string) io.ReadWriteCloser{
		"forward": func(w *world, port int, _ string) io.ReadWriteCloser {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				w.t.Fatal(err)
			}
			return c
		},
		"passenger": func(w *world, _ int, socket string) io.ReadWriteCloser {
			cmd := w.gossh("-S", socket, "sshd", "exec cat")
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { in.Close(); cmd.Wait() })
			return struct {
				io.Reader
				io.WriteCloser
			}{out, in}
		},
	} {
		for _, program := range []string{"gossh", "ssh"} {
			t.Run(name+", "+program, func(t *testing.T) {
				t.Parallel()
				w := withSSHD(t, opensshd.Options{})
				link := linkTo(t, w.srv.Addr)
				start := w.gossh
				if program == "ssh" {
					start = w.ssh
				}
				// When the answer is there, nothing that was sent before the
				// question is under way: a cut is then an end, and no reset.
				answered := func(other io.ReadWriter) {
					io.WriteString(other, "up\n")
					readLine(t, other)
				}
				begin := func() (*screen, io.ReadWriteCloser) {
					port, socket := closedPort(t), w.socket()
					s := w.onScreen(start("-M", "-S", socket, "-p", fmt.Sprint(link.Port()), "-o", "ControlPersist=no", "-L", fmt.Sprintf("127.0.0.1:%d:127.0.0.1:%d", port, echoes(t)), "sshd"))
					s.expect(`remote\$ `)
					s.untilModes("raw", isRaw)
					s.send("\r") // its answer shows that there is a terminal
					s.expect(`remote\$ `)
					other := use(w, port, socket)
					answered(other)
					return s, other
				}
				cooked := func(s *screen) { // and a line later
					s.send("exit 3\r")
					s.untilModes("as before", func(m unix.Termios) bool { return m == s.before })
					s.send("typed\r")
					s.expect("typed\r\n")
					if strings.Contains(s.text(), "closed.") {
						t.Errorf("said to be closed, and is not:\n%q", s.tail())
					}
				}
				const closed = `Connection to 127\.0\.0\.1 closed\.[\r\n]+`

				s, other := begin()
				cooked(s)
				other.Close()
				s.expect(closed)
				s.wantEnd(3)

				s, other = begin()
				cooked(s)
				s.send("\x03")
				s.wantEnd(255)
				if strings.Contains(s.text(), "closed.") {
					t.Errorf("an interrupt is told of:\n%q", s.tail())
				}
				other.Close()

				s, other = begin()
				cooked(s)
				answered(other)
				link.Cut()
				s.expect(`Connection to 127\.0\.0\.1 closed by remote host\.[\r\n]+` + closed)
				s.wantEnd(3)
				other.Close()

				s, other = begin()
				link.Cut()
				s.expect(`Connection to 127\.0\.0\.1 closed by remote host\.[\r\n]+` + closed)
				s.wantEnd(255)
				if n := strings.Count(s.text(), "by remote host"); n != 1 {
					t.Errorf("the loss is told of %d times:\n%q", n, s.tail())
				}
				other.Close()

				s, other = begin()
				s.send("\r~.")
				s.expect(closed)
				s.wantEnd(255)
				other.Close()
			})
		}
	}
}
