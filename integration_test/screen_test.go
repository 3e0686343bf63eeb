//go:build linux

package integration_test

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// screen is a terminal on which a program runs. expect reads the output in
// order, and send types.
type screen struct {
	t     *testing.T
	ptm   *os.File // what the person has
	pts   *os.File // held open, so that its modes can be read to the end
	cmd   *exec.Cmd
	ended chan struct{}

	before unix.Termios // its modes, as the program finds them

	mu      sync.Mutex
	seen    []byte
	at      int // what expect has gone past
	changed chan struct{}
}

// onScreen starts cmd with a new controlling terminal. Descriptors that the
// caller has set stay.
func (w *world) onScreen(cmd *exec.Cmd) *screen {
	w.t.Helper()
	if w.srv != nil {
		opensshd.NeedTerminals(w.t)
	}
	ptm, pts, err := pty.Open()
	if err != nil {
		w.t.Fatal(err)
	}
	s := &screen{t: w.t, ptm: ptm, pts: pts, cmd: cmd, ended: make(chan struct{}), changed: make(chan struct{})}
	s.resize(80, 24)
	s.before = s.modes()
	if cmd.Stdin == nil {
		cmd.Stdin = pts
	}
	if cmd.Stdout == nil {
		cmd.Stdout = pts
	}
	if cmd.Stderr == nil {
		cmd.Stderr = pts
	}
	// The terminal goes in once more, so that Ctty has a number whatever 0, 1
	// and 2 are.
	cmd.ExtraFiles = append(cmd.ExtraFiles, pts)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2 + len(cmd.ExtraFiles)}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	readerDone := make(chan struct{})
	go func() { // ends when the terminal is closed
		s.read()
		close(readerDone)
	}()
	go func() { // ends with the program
		cmd.Wait()
		close(s.ended)
	}()
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		<-s.ended
		pts.Close()
		ptm.Close()
		<-readerDone
	})
	return s
}

func (s *screen) read() {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.ptm.Read(buf)
		s.mu.Lock()
		s.seen = append(s.seen, buf[:n]...)
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text is all that was shown so far.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.seen)
}

// tail is the end of it, for messages.
func (s *screen) tail() string {
	text := s.text()
	return text[max(0, len(text)-4000):]
}

// expect waits for a regular expression in what follows the last match, and
// returns the match's first group, or all of it.
func (s *screen) expect(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		m := re.FindSubmatchIndex(s.seen[s.at:])
		changed, at := s.changed, s.at
		if m != nil {
			g := m[:2]
			if len(m) > 2 {
				g = m[2:4]
			}
			found := string(s.seen[at+g[0] : at+g[1]])
			s.at += m[1]
			s.mu.Unlock()
			return found
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			s.t.Fatalf("%q has not come; behind %d bytes of\n%q", pattern, at, s.tail())
		}
	}
}

// send types text.
func (s *screen) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.ptm, text); err != nil {
		s.t.Fatalf("type: %v", err)
	}
}

// resize changes the size of the window.
func (s *screen) resize(columns, rows uint16) {
	s.t.Helper()
	if err := pty.Setsize(s.ptm, &pty.Winsize{Cols: columns, Rows: rows}); err != nil {
		s.t.Fatal(err)
	}
}

// wait waits for the program's end and returns its status.
func (s *screen) wait() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("%q does not end:\n%q", s.cmd.Args, s.tail())
	}
	return s.cmd.ProcessState.ExitCode()
}

// wantEnd waits until the program ends and fails the test unless it ends with
// this status.
func (s *screen) wantEnd(status int) {
	s.t.Helper()
	if got := s.wait(); got != status {
		s.t.Errorf("status %d, want %d (%v)\n%q", got, status, s.cmd.ProcessState, s.tail())
	}
}

// modes returns the modes of the terminal.
func (s *screen) modes() unix.Termios {
	s.t.Helper()
	modes, err := unix.IoctlGetTermios(int(s.pts.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *modes
}

// untilModes waits until the modes of the terminal satisfy a condition.
func (s *screen) untilModes(what string, cond func(unix.Termios) bool) {
	s.t.Helper()
	eventually(s.t, "the terminal is "+what, func() bool { return cond(s.modes()) })
}

func isRaw(m unix.Termios) bool  { return m.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 }
func noEcho(m unix.Termios) bool { return m.Lflag&unix.ECHO == 0 && m.Lflag&unix.ICANON != 0 }

// shell starts an interactive shell with job control on a screen. Its prompt
// is "local$ ".
func (w *world) shell() *screen {
	need(w.t, "bash")
	s := w.onScreen(w.tool("bash", "--norc", "--noprofile", "--noediting", "-i"))
	s.expect(`local\$ `)
	return s
}

// line returns a shell command that runs gossh.
func (w *world) line(args ...string) string {
	words := append([]string{gosshPath}, w.pre...)
	for _, a := range args {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(words, " ")
}
