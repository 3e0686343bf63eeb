//go:build linux || darwin || freebsd

package mux_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// raw is a client that says whatever it is told to.
type raw struct {
	t *testing.T
	*net.UnixConn
}

func dialRaw(t *testing.T, path string) *raw {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t, c}
}

// say sends numbers as a message.
func (r *raw) say(numbers ...uint32) {
	b := binary.BigEndian.AppendUint32(nil, uint32(4*len(numbers)))
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	r.Write(b)
}

// ends waits for the end of the connection and returns the last message.
func (r *raw) ends() []byte {
	r.t.Helper()
	r.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, unix.ECONNRESET) {
		r.t.Errorf("the master does not hang up: %v", err)
	}
	var last []byte
	for len(b) >= 4 && len(b) >= 4+int(binary.BigEndian.Uint32(b)) {
		n := int(binary.BigEndian.Uint32(b))
		last, b = b[4:4+n], b[4+n:]
	}
	return last
}

// TestHostileClients: each costs one connection, for a limited time.
func TestHostileClients(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{
		StepTimeout: 100 * time.Millisecond, SilenceTimeout: 200 * time.Millisecond})
	session := []uint32{0x10000002, 5, 0, 0, 0, 0, 0, 0xffffffff, 0, 0}
	for name, act := range map[string]func(r *raw){
		"silence":            func(r *raw) {},
		"hello and silence":  func(r *raw) { r.say(1, 4) },
		"garbage":            func(r *raw) { r.Write(bytes.Repeat([]byte("GET / HTTP/1.0\r\n"), 100)) },
		"huge length":        func(r *raw) { r.say(1, 4); r.Write([]byte{0x7f, 0xff, 0xff, 0xff}) },
		"another version":    func(r *raw) { r.say(1, 5) },
		"no hello":           func(r *raw) { r.say(0x10000004, 1) },
		"half a message":     func(r *raw) { r.say(1, 4); r.Write([]byte{0, 0, 0, 8, 0x10}) },
		"malformed":          func(r *raw) { r.say(1, 4); r.say(0x10000002, 1, 2) },
		"no descriptors":     func(r *raw) { r.say(1, 4); r.say(session...) },
		"NULs without any":   func(r *raw) { r.say(1, 4); r.say(session...); r.Write(make([]byte, 3)) },
		"one descriptor":     func(r *raw) { r.say(1, 4); r.say(session...); r.pass(1) },
		"two in one message": func(r *raw) { r.say(1, 4); r.say(session...); r.pass(2) },
		"fifty in one":       func(r *raw) { r.say(1, 4); r.say(session...); r.pass(50) },
	} {
		t.Run(name, func(t *testing.T) {
			before := openDescriptors(t)
			r := dialRaw(t, srv.Path())
			act(r)
			last := r.ends()
			if strings.Contains(name, "descriptor") && !bytes.Contains(last, []byte("did not receive file descriptors")) {
				t.Errorf("the last word was %q", last)
			}
			r.Close()
			eventually(t, "descriptors to be closed", func() bool { return openDescriptors(t) <= before })
		})
	}
	if got := run(t, srv.Path(), mux.SessionRequest{Command: "echo alive"}, ""); got.stdout != "alive\n" {
		t.Errorf("afterwards: %+v", got)
	}
}

// pass sends n descriptors with one NUL.
func (r *raw) pass(n int) {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = int(os.Stderr.Fd())
	}
	r.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if entries, err := os.ReadDir(dir); err == nil {
			return len(entries)
		}
	}
	return 0
}

// TestUnsupported: what OpenSSH answers to what it does not do.
func TestUnsupported(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	for want, ask := range map[string]string{
		"\x80\x00\x00\x03\x00\x00\x00\x09\x00\x00\x00\x13unsupported request":                             "\x10\x00\x00\x77\x00\x00\x00\x09",
		"\x90\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x1finfo request type not supported": "\x20\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x04what",
	} {
		r := dialRaw(t, srv.Path())
		r.say(1, 4)
		r.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(ask))), ask...))
		r.SetReadDeadline(time.Now().Add(patience))
		var got []byte
		for !bytes.HasSuffix(got, []byte(want)) {
			buf := make([]byte, 512)
			n, err := r.Read(buf)
			if err != nil {
				t.Fatalf("%q, %v", got, err)
			}
			got = append(got, buf[:n]...)
		}
	}
}

func TestStatusOfGossh(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{Host: "web-1"})
	c := connect(t, srv.Path())
	status, err := c.Alive(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	if status.PID != os.Getpid() || !status.Known || status.State != "alive" ||
		status.Silence < 1500*time.Millisecond || status.Silence > time.Minute || status.RTT != 42*time.Millisecond {
		t.Errorf("%+v", status)
	}
	for what, want := range map[string]string{"connection": "web-1", "channels": "The following connections"} {
		if text, err := c.Info(patient(t), what); err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %q, %v", what, text, err)
		}
	}
	var refused *mux.RefusedError
	if _, err := c.Info(patient(t), "colour"); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

func TestRefusedSession(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{MaxSessions: -1}, mux.ServerOptions{})
	c := connect(t, srv.Path())
	std := newStdio(t)
	for range 2 { // the connection stays good
		_, err := c.NewSession(patient(t), mux.SessionRequest{Command: "true"}, std.fds())
		var refused *mux.RefusedError
		if !errors.As(err, &refused) || refused.Denied || refused.Reason != "Session open refused by peer" {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusedProgram(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{OnRequest: sshtest.React(map[string]sshtest.Reaction{"exec": {Verdict: sshtest.Refuse}})},
		mux.ServerOptions{})
	got := run(t, srv.Path(), mux.SessionRequest{Command: "true"}, "")
	if got.status != 255 || !strings.Contains(got.stderr, "exec request failed\r\n") {
		t.Errorf("%+v", got)
	}
}

// TestAsk: a person is asked OpenSSH's questions, and a no is PERMISSION_DENIED.
func TestAsk(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{Host: "web-1", Confirm: func(_ context.Context, q string) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, q)
		return false
	}})
	c := connect(t, srv.Path())
	std := newStdio(t)
	fds := std.fds()
	spec := parseSpec(t, "8080:db:5432")
	for name, call := range map[string]func() error{
		"session": func() error { _, err := c.NewSession(patient(t), mux.SessionRequest{}, fds); return err },
		"stdio": func() error {
			_, err := c.StdioForward(patient(t), spec.Connect, [2]int(fds[:2]))
			return err
		},
		"forward": func() error { _, err := c.OpenForward(patient(t), spec); return err },
		"proxy":   func() error { _, _, _, err := c.Proxy(patient(t)); return err },
		"stop":    func() error { return c.Stop(patient(t)) },
		"exit":    func() error { return c.Terminate(patient(t)) },
	} {
		var refused *mux.RefusedError
		if err := call(); !errors.As(err, &refused) || !refused.Denied || refused.Reason != "Permission denied" {
			t.Errorf("%s: %v", name, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(asked, "\n")
	for _, want := range []string{
		"Allow shared connection to web-1? ", "Terminate shared connection to web-1? ",
		"Open local forward LOCALHOST:8080 -> db:5432 on web-1?", "Allow forward to db:5432? ",
		"Disable further multiplexing on shared connection to web-1? ", "Allow multiplex proxy connection?",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not asked:\n%s", want, all)
		}
	}
}

// TestOptionsOfSessions: what of a request reaches the server, and what not.
func TestOptionsOfSessions(t *testing.T) {
	agent := 0
	srv, server := inProcess(t, sshtest.Options{}, mux.ServerOptions{
		PermitEnv:    func(name string) bool { return name == "GOOD" },
		SetEnv:       []session.EnvVar{{Name: "GOOD_TOO", Value: "2"}},
		ForwardAgent: func(context.Context, string) bool { agent++; return true },
		X11:          func(context.Context) *session.X11 { return &session.X11{AuthProtocol: "p", AuthCookie: "00"} },
	})
	run(t, srv.Path(), mux.SessionRequest{Command: "true", Agent: true, X11: true,
		Env: []session.EnvVar{{Name: "GOOD", Value: "1"}, {Name: "BAD", Value: "1"}}}, "")
	seen := ""
	for _, r := range server.Records() {
		if r.Kind == sshtest.Channel {
			seen += r.Type + " "
			if r.Type == "env" && !bytes.Contains(r.Payload, []byte("GOOD")) {
				t.Errorf("sent %q", r.Payload)
			}
		}
	}
	if want := "auth-agent-req@openssh.com x11-req env env exec "; seen != want {
		t.Errorf("requests %q, want %q", seen, want)
	}
	if agent != 1 {
		t.Errorf("asked %d times for the agent", agent)
	}
}

// TestTTY: modes and size come from the passed terminal, SIGWINCH has it asked
// again, escapes are seen, and the terminal stays blocking and unread.
func TestTTY(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	pty.Setsize(tty, &pty.Winsize{Cols: 90, Rows: 31})
	windows := make(chan sshtest.Window, 1)
	start := make(chan *sshtest.PTY, 1)
	escaped := make(chan byte, 1)
	srv, _ := inProcess(t, sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		start <- s.PTY
		windows <- <-s.Windows
		s.Read(make([]byte, 1))
		return sshtest.Status(4)
	}}, mux.ServerOptions{Escapes: func(s *mux.ServerSession, in mux.Input, char byte) mux.Input {
		escaped <- char
		return in
	}})
	c := connect(t, srv.Path())
	fd := int(tty.Fd())
	s, err := c.NewSession(patient(t), mux.SessionRequest{TTY: true, EscapeChar: '~', Term: "vt100"}, [3]int{fd, fd, fd})
	if err != nil {
		t.Fatal(err)
	}
	p := <-start
	if p == nil || p.Term != "vt100" || p.Window.Columns != 90 || p.Window.Rows != 31 || len(p.Modes) == 0 {
		t.Errorf("pty %+v", p)
	}
	if got := <-escaped; got != '~' {
		t.Errorf("escape character %q", got)
	}
	eventually(t, "the session", func() bool { return len(srv.Sessions()) == 1 })
	pty.Setsize(tty, &pty.Winsize{Cols: 100, Rows: 40})
	srv.Resize()
	if w := <-windows; w.Columns != 100 || w.Rows != 40 {
		t.Errorf("window %+v", w)
	}
	master.Write([]byte("x\n"))
	if status, err := s.Wait(); status != 4 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the terminal was left with flags %#x, %v", flags, err)
	}
	// The session has ended: the next line belongs to the shell.
	master.Write([]byte("mine\n"))
	buf := make([]byte, 16)
	for got := ""; !strings.Contains(got, "mine"); {
		n, err := tty.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
}

// TestTTYRefused: the client is told, whatever the program writes, and only if
// the server has refused.
func TestTTYRefused(t *testing.T) {
	const said = "PTY allocation request failed\r\n"
	for _, tt := range []struct {
		verdict          sshtest.Verdict
		command, written string
	}{
		{sshtest.Refuse, "true", said},
		{sshtest.Refuse, "echo err >&2", said + "err\n"},
		{sshtest.Accept, "true", ""},
	} {
		srv, _ := inProcess(t, sshtest.Options{OnRequest: sshtest.React(map[string]sshtest.Reaction{"pty-req": {Verdict: tt.verdict}})},
			mux.ServerOptions{})
		std := newStdio(t)
		s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{TTY: true, Command: tt.command}, std.fds())
		if err != nil {
			t.Fatal(err)
		}
		std.closeOurs()
		if status, err := s.Wait(); status != 0 || err != nil {
			t.Errorf("status %d, %v", status, err)
		}
		told := false
		select {
		case <-s.TTYFailed():
			told = true
		default:
		}
		if got := std.stderr.String(); got != tt.written || told != (tt.written != "") {
			t.Errorf("%q: told %v, stderr %q", tt.command, told, got)
		}
	}
}

// TestEndOfConnection: sessions end with it, and the server says why.
func TestEndOfConnection(t *testing.T) {
	conn, server := pipeConnection(t, sshtest.Options{})
	srv := listen(t, conn, mux.ServerOptions{})
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "sleep 1000"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	server.Conns()[0].Kill()
	if status, err := s.Wait(); status != 255 || !errors.Is(err, mux.ErrNoExitStatus) {
		t.Errorf("status %d, %v", status, err)
	}
	<-srv.Done()
	if srv.Err() == nil || errors.Is(srv.Err(), mux.ErrClosed) {
		t.Errorf("the server ended with %v", srv.Err())
	}
	if _, err := os.Lstat(srv.Path()); err == nil {
		t.Error("the socket is still there")
	}
}

// lostConnection is over when it is told so, which its server does not notice
// by itself.
type lostConnection struct {
	*connection
	asked atomic.Bool
	lost  chan struct{}
}

var errLost = errors.New("lost")

func (c *lostConnection) Done() <-chan struct{} {
	if !c.asked.Swap(true) {
		return nil
	}
	return c.lost
}

func (c *lostConnection) Err() error { return errLost }

// TestCloseAfterLoss: whoever closes a master because its connection is gone
// may be quicker than the master in noticing. Passengers hear of the loss.
func TestCloseAfterLoss(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	lost := &lostConnection{connection: conn, lost: make(chan struct{})}
	srv := listen(t, lost, mux.ServerOptions{
		ExitMessage: func(err error) string { return fmt.Sprintf("farewell: %v", err) },
	})
	eventually(t, "the server to watch", lost.asked.Load)
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	close(lost.lost)
	srv.Close()
	if status, _ := s.Wait(); status != 255 {
		t.Errorf("status %d", status)
	}
	if text := std.stderr.String(); text != "farewell: lost" {
		t.Errorf("the passenger was told %q", text)
	}
	if srv.Err() != errLost {
		t.Errorf("ended with %v", srv.Err())
	}
}

func TestCloseSession(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "sleep 1000"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	std.closeOurs()
	eventually(t, "the session", func() bool { return len(srv.Sessions()) == 1 })
	srv.Sessions()[0].Close() // as ~. does
	if status, err := s.Wait(); status != 255 || !errors.Is(err, mux.ErrNoExitStatus) {
		t.Errorf("status %d, %v", status, err)
	}
}

// helper runs our passenger as a process.
func helper(t *testing.T, path, command string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, path, command)
	cmd.Env = append(os.Environ(), helperVariable+"=session")
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilledClients: a client that dies by any signal frees its channel, with
// its output blocked or not.
func TestKilledClients(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGHUP, unix.SIGINT} {
		for _, command := range []string{"sleep 1000", "yes"} {
			srv, server := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
			r, w := pipe(t) // nobody reads
			cmd := helper(t, srv.Path(), command)
			cmd.Stdout = w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			eventually(t, "the session", func() bool { return len(srv.Sessions()) == 1 })
			if command == "yes" {
				waitFull(t, r)
			}
			cmd.Process.Signal(sig)
			cmd.Wait()
			eventually(t, "the end of the session", func() bool { return len(srv.Sessions()) == 0 })
			if server.Conns()[0].SSH == nil || srv.Err() != nil {
				t.Error("the master ended too")
			}
			r.Close()
			srv.Close()
		}
	}
}

// waitFull waits until a pipe takes no more.
func waitFull(t *testing.T, r *os.File) {
	t.Helper()
	last := -1
	eventually(t, "a full pipe", func() bool {
		n, err := unix.IoctlGetInt(int(r.Fd()), fionread)
		full := err == nil && n > 0 && n == last
		last = n
		time.Sleep(20 * time.Millisecond)
		return full
	})
}

// TestStoppedClient: a stopped client with a full pipe holds up nobody else.
func TestStoppedClient(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	r, w := pipe(t)
	defer r.Close()
	cmd := helper(t, srv.Path(), "yes")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	waitFull(t, r)
	cmd.Process.Signal(unix.SIGSTOP)
	big := strings.Repeat("x", 4<<20)
	if got := run(t, srv.Path(), mux.SessionRequest{Command: "cat"}, big); got.stdout != big || got.status != 0 {
		t.Errorf("%d bytes, status %d", len(got.stdout), got.status)
	}
	if _, err := connect(t, srv.Path()).Alive(patient(t)); err != nil {
		t.Error(err)
	}
}

func TestManySessions(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{MaxSessions: 100}, mux.ServerOptions{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			in := strings.Repeat(string(rune('a'+i%26)), 100_000)
			if got := run(t, srv.Path(), mux.SessionRequest{Command: "cat; exit 3"}, in); got.stdout != in || got.status != 3 {
				t.Errorf("%d bytes, status %d", len(got.stdout), got.status)
			}
		})
	}
	wg.Wait()
}

// TestManySSH is fifty processes of OpenSSH's client at once.
func TestManySSH(t *testing.T) {
	sshd := opensshd.NewServer(t, &opensshd.Options{Extra: "MaxSessions 100"})
	client := &openSSH{needSSH(t), sshd.Config}
	srv := listen(t, dialSSHD(t, sshd), mux.ServerOptions{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			// What is on stderr is the login shell's, which may have its troubles
			// with fifty of its kind.
			got := client.run(t, srv.Path(), "in", "sshd", "cat; echo; exit 3")
			if got.stdout != "in\n" || got.status != 3 {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
}

// TestTwoHundredSessions: one after the other, they leave nothing behind.
func TestTwoHundredSessions(t *testing.T) {
	// The server keeps records of everything, so it is not in this process.
	sshd := opensshd.NewServer(t, nil)
	srv := listen(t, dialSSHD(t, sshd), mux.ServerOptions{})
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var descriptors, goroutines int
	var heap uint64
	for i := range 200 {
		c, err := mux.Connect(ctx, srv.Path(), mux.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.NewSession(ctx, mux.SessionRequest{Command: ":", Subsystem: i%20 != 0}, [3]int{fd, fd, fd})
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := s.Wait(); status != 0 && i%20 == 0 {
			t.Fatalf("status %d", status)
		}
		if i == 20 {
			descriptors, goroutines, heap = openDescriptors(t), runtime.NumGoroutine(), heapInUse()
		}
	}
	eventually(t, "descriptors to be closed", func() bool { return openDescriptors(t) <= descriptors })
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := heapInUse(); now > heap+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", heap, now)
	}
	if n := len(srv.Sessions()); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestDial: a program gets an *ssh.Client on the master's connection.
func TestDial(t *testing.T) {
	srv, server := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	c, err := mux.Dial(patient(t), srv.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	s.Stdin, s.Stderr = strings.NewReader(strings.Repeat("y", 1<<20)), &stderr
	out, err := s.Output("cat; printf err >&2; exit 6")
	var exit *ssh.ExitError
	if len(out) != 1<<20 || stderr.String() != "err" || !errors.As(err, &exit) || exit.ExitStatus() != 6 {
		t.Errorf("%d bytes, %q, %v", len(out), stderr.String(), err)
	}
	addr := echo(t, "tcp", "127.0.0.1:0").Addr().String()
	through, err := c.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(through, "ping")
	through.(interface{ CloseWrite() error }).CloseWrite()
	if b, _ := io.ReadAll(through); string(b) != "ping" {
		t.Errorf("echo %q", b)
	}
	through.Close()
	ln, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(a, a); a.Close() }()
		}
	}()
	if !echoes(t, "tcp", ln.Addr().String()) {
		t.Error("no echo from the server's port")
	}
	if ok, _, err := c.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v, %v", ok, err)
	}
	c.SendRequest("no-more-sessions@openssh.com", false, nil)
	c.Close()
	// Its port is given back, and others still get sessions.
	eventually(t, "the end of the forwarding", func() bool { return server.Conns()[0].Forwards() == 0 })
	if got := run(t, srv.Path(), mux.SessionRequest{Command: "echo on"}, ""); got.stdout != "on\n" {
		t.Errorf("%+v", got)
	}
}

// TestChannelsText: the lines of -O channels are OpenSSH's, with its numbers.
func TestChannelsText(t *testing.T) {
	srv, _ := inProcess(t, sshtest.Options{}, mux.ServerOptions{})
	std := newStdio(t)
	s, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat"}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sub, err := connect(t, srv.Path()).NewSession(patient(t), mux.SessionRequest{Command: "cat\x1b[2J", TTY: true}, std.fds())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	eventually(t, "both sessions", func() bool { return len(srv.Sessions()) == 2 })
	text, err := connect(t, srv.Path()).Info(patient(t), "channels")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(fd|sock) [\d/-]*\d( |$)`).ReplaceAllString(text, "$1 N ")
	const control = " mux-control (t16 [mux-control] nr0 m0 i0/0 o0/0 e[closed]/0 fd N sock N cc -1 "
	const session = " client-session (t4 [session:command] nr0 nm0 i0/0 o0/0 e[write]/0 fd N sock N cc "
	want := "The following connections are open:\r\n" +
		"  #1" + control + "c2 io 0x01/0x00 I)\r\n" +
		"  #2" + session + "1 nc0 io 0x01/0x00 B)\r\n" +
		"  #3" + control + "c4 io 0x01/0x00 I)\r\n" +
		"  #4" + session + "3 nc0 io 0x01/0x00 TI)\r\n" +
		"  #5" + control + "nc0 io 0x01/0x00 I)\r\n"
	if got != want || s.ID() != 2 || sub.ID() != 4 {
		t.Errorf("%s\nwant %s", got, want)
	}
}
