//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

var counted = regexp.MustCompile(`\d+(\.\d+)?`)

// TestLastWords: the messages of LogLevel VERBOSE about the end of a connection are
// those of ssh, apart from figures. ssh exits at once at some ends, without the
// count of bytes.
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

// sharing is a session on a terminal whose connection another one uses too.
type sharing struct {
	*world
	program string // gossh or ssh
	link    *faultnet.Proxy
	use     func(w *world, port int, socket string) io.ReadWriteCloser
}

const connectionClosed = `Connection to 127\.0\.0\.1 closed\.[\r\n]+`

// begin starts the session and its other user.
func (s *sharing) begin() (*screen, io.ReadWriteCloser) {
	s.t.Helper()
	port, socket := closedPort(s.t), s.socket()
	forward := fmt.Sprintf("127.0.0.1:%d:127.0.0.1:%d", port, echoes(s.t))
	scr := s.onScreen(s.command(s.program, "-M", "-S", socket, "-p", fmt.Sprint(s.link.Port()), "-o", "ControlPersist=no", "-L", forward, "sshd"))
	scr.expect(`remote\$ `)
	scr.untilModes("raw", isRaw)
	scr.send("\r") // its answer shows that there is a terminal
	scr.expect(`remote\$ `)
	other := s.use(s.world, port, socket)
	s.t.Cleanup(func() { other.Close() })
	s.answered(other)
	return scr, other
}

// answered waits until nothing that was sent before is under way: a cut is then
// an end and no reset.
func (s *sharing) answered(other io.ReadWriter) {
	s.t.Helper()
	io.WriteString(other, "up\n")
	readLine(s.t, other)
}

// exit ends the session, which has to give the terminal back and to wait for
// the other user.
func (s *sharing) exit(scr *screen) {
	s.t.Helper()
	scr.send("exit 3\r")
	scr.untilModes("as before", func(m unix.Termios) bool { return m == scr.before })
	scr.send("typed\r")
	scr.expect("typed\r\n")
	if strings.Contains(scr.text(), "closed.") {
		s.t.Errorf("printed that the connection is closed, which it is not:\n%q", scr.tail())
	}
}

// TestEndWithOthers ends a session while the connection has another user. The
// program waits for that one, and only then prints that the connection is
// closed. The escape ~., an interrupt and a lost connection end it at once.
func TestEndWithOthers(t *testing.T) {
	t.Parallel()
	uses := map[string]func(*world, int, string) io.ReadWriteCloser{
		"forward": func(w *world, port int, _ string) io.ReadWriteCloser {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				w.t.Fatal(err)
			}
			return c
		},
		"passenger": func(w *world, _ int, socket string) io.ReadWriteCloser {
			cmd := w.gossh("-S", socket, "sshd", "exec cat")
			in, out := startPiped(w.t, cmd)
			w.t.Cleanup(func() { in.Close(); cmd.Wait() })
			return struct {
				io.Reader
				io.WriteCloser
			}{out, in}
		},
	}
	scenarios := []struct {
		name string
		run  func(*sharing)
	}{
		{"the other leaves", (*sharing).otherLeaves},
		{"interrupt while waiting", (*sharing).interrupted},
		{"connection lost while waiting", (*sharing).lostWhileWaiting},
		{"connection lost", (*sharing).lost},
		{"escape", (*sharing).escaped},
	}
	for name, use := range uses {
		for _, program := range []string{gosshPath, "ssh"} {
			t.Run(name+", "+filepath.Base(program), func(t *testing.T) {
				t.Parallel()
				w := withSSHD(t, opensshd.Options{})
				link := linkTo(t, w.srv.Addr)
				for _, c := range scenarios {
					t.Run(c.name, func(t *testing.T) { c.run(&sharing{w.at(t), program, link, use}) })
				}
			})
		}
	}
}

func (s *sharing) otherLeaves() {
	scr, other := s.begin()
	s.exit(scr)
	other.Close()
	scr.expect(connectionClosed)
	scr.wantEnd(3)
}

func (s *sharing) interrupted() {
	scr, _ := s.begin()
	s.exit(scr)
	scr.send("\x03")
	scr.wantEnd(255)
	if strings.Contains(scr.text(), "closed.") {
		s.t.Errorf("printed that the connection is closed:\n%q", scr.tail())
	}
}

func (s *sharing) lostWhileWaiting() {
	scr, other := s.begin()
	s.exit(scr)
	s.answered(other)
	s.link.Cut()
	scr.expect(`Connection to 127\.0\.0\.1 closed by remote host\.[\r\n]+` + connectionClosed)
	scr.wantEnd(3)
}

func (s *sharing) lost() {
	scr, _ := s.begin()
	s.link.Cut()
	scr.expect(`Connection to 127\.0\.0\.1 closed by remote host\.[\r\n]+` + connectionClosed)
	scr.wantEnd(255)
	if n := strings.Count(scr.text(), "by remote host"); n != 1 {
		s.t.Errorf("printed the loss %d times:\n%q", n, scr.tail())
	}
}

func (s *sharing) escaped() {
	scr, _ := s.begin()
	scr.send("\r~.")
	scr.expect(connectionClosed)
	scr.wantEnd(255)
}
