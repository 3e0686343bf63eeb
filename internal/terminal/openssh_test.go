//go:build linux || darwin || freebsd

package terminal

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// ptyRequest is the payload of pty-req (RFC 4254, section 6.2).
type ptyRequest struct {
	Term                      string
	Columns, Rows             uint32
	WidthPixels, HeightPixels uint32
	Modes                     string
}

// A peer is the least server that ssh talks to: it takes any password, says
// what it was, and tells the pty-req of a session that it then leaves open.
type peer struct {
	listener  net.Listener
	passwords chan string
	ptys      chan ptyRequest
	started   chan struct{} // the shell was asked for: the client is in raw mode
	serving   sync.WaitGroup
}

func startPeer(t *testing.T) *peer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{
		listener:  listener,
		passwords: make(chan string, 1),
		ptys:      make(chan ptyRequest, 1),
		started:   make(chan struct{}, 1),
	}
	config := &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			p.passwords <- string(password)
			return nil, nil
		},
	}
	config.AddHostKey(signer)
	p.serving.Go(func() { p.serve(config) })
	t.Cleanup(p.serving.Wait)
	t.Cleanup(func() { listener.Close() })
	return p
}

// serve ends with the one connection that it takes, or the listener.
func (p *peer) serve(config *ssh.ServerConfig) {
	raw, err := p.listener.Accept()
	if err != nil {
		return
	}
	defer raw.Close()
	_, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return
	}
	p.serving.Go(func() { ssh.DiscardRequests(requests) })
	for channel := range channels {
		_, requests, err := channel.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.session(requests) })
	}
}

func (p *peer) session(requests <-chan *ssh.Request) {
	for request := range requests {
		switch request.Type {
		case "pty-req":
			var r ptyRequest
			if ssh.Unmarshal(request.Payload, &r) == nil {
				p.ptys <- r
			}
		case "shell":
			p.started <- struct{}{}
		}
		if request.WantReply {
			request.Reply(true, nil)
		}
	}
}

// openSSH is the real ssh, about to connect to p.
func (p *peer) openSSH(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no ssh to compare with")
		}
		t.Skip("NO ssh TO COMPARE WITH")
	}
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	options := []string{"-F", "/dev/null", "-p", port, "-l", "user"}
	for _, o := range []string{
		"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null",
		"PreferredAuthentications=password", "NumberOfPasswordPrompts=1", "LogLevel=ERROR",
	} {
		options = append(options, "-o", o)
	}
	return exec.Command(program, append(append(options, args...), "127.0.0.1")...)
}

// TestLikeOpenSSH has the real ssh open a session on a terminal and compares
// what it sends and what it does to the terminal.
func TestLikeOpenSSH(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*unix.Termios)
	}{
		{"fresh", func(*unix.Termios) {}},
		{"other keys", func(tio *unix.Termios) {
			tio.Cc[unix.VINTR] = posixVdisable
			tio.Cc[unix.VERASE] = 8
			tio.Cc[unix.VEOL2] = 'x'
		}},
		{"flags turned", func(tio *unix.Termios) {
			tio.Iflag ^= unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXANY | unix.IXOFF | unix.IMAXBEL | unix.PARMRK
			tio.Lflag ^= unix.ECHOE | unix.ECHOK | unix.ECHONL | unix.NOFLSH | unix.TOSTOP | unix.IEXTEN | unix.ECHOCTL | unix.ECHOKE
			tio.Oflag ^= unix.OPOST | unix.ONLCR | unix.OCRNL | unix.ONOCR | unix.ONLRET
		}},
		{"parity and speed", func(tio *unix.Termios) {
			tio.Cflag = tio.Cflag&^(unix.CSIZE) | unix.CS7 | unix.PARODD
			setSpeed(tio, 115200)
		}},
	} {
		t.Run(test.name, func(t *testing.T) { compareSession(t, test.change) })
	}
}

func compareSession(t *testing.T, change func(*unix.Termios)) {
	master, slave := openPTY(t)
	fd := int(slave.Fd())
	if err := pty.Setsize(master, &pty.Winsize{Cols: 101, Rows: 33, X: 808, Y: 528}); err != nil {
		t.Fatal(err)
	}
	tio := getTermios(t, slave)
	change(&tio)
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &tio); err != nil {
		t.Fatal(err)
	}
	before := getTermios(t, slave)
	wantModes := Modes(fd)
	wantSize, err := GetSize(fd)
	if err != nil {
		t.Fatal(err)
	}

	p := startPeer(t)
	cmd := p.openSSH(t, "-tt")
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS="+fakeAskpass(t, "echo secret"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	request := receive(t, p.ptys)
	receive(t, p.started)
	theirs := getTermios(t, slave)

	if got := []byte(request.Modes); !bytes.Equal(got, wantModes) {
		t.Errorf("modes: ssh sends\n%x\nand we\n%x", got, wantModes)
	}
	if got := (Size{request.Columns, request.Rows, request.WidthPixels, request.HeightPixels}); got != wantSize {
		t.Errorf("size: ssh sends %+v, and we %+v", got, wantSize)
	}
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &before); err != nil {
		t.Fatal(err)
	}
	state, err := MakeRaw(fd)
	if err != nil {
		t.Fatal(err)
	}
	if ours := getTermios(t, slave); ours != theirs {
		t.Errorf("raw mode: ssh's is\n%+v\nand ours\n%+v", theirs, ours)
	}
	if !bytes.Equal(state.Modes(), wantModes) {
		t.Error("the modes from before raw mode have changed")
	}
	if err := state.Restore(); err != nil {
		t.Fatal(err)
	}
}

// TestLikeOpenSSHWithoutTerminal is ssh -tt </dev/null.
func TestLikeOpenSSHWithoutTerminal(t *testing.T) {
	p := startPeer(t)
	cmd := p.openSSH(t, "-tt")
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS="+fakeAskpass(t, "echo secret"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdin = null
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	request := receive(t, p.ptys)
	if got, want := []byte(request.Modes), Modes(int(null.Fd())); !bytes.Equal(got, want) {
		t.Errorf("ssh sends %x, and we %x", got, want)
	}
	if request.Columns != 0 || request.Rows != 0 {
		t.Errorf("ssh sends a size: %+v", request)
	}
}

// TestWhereToAsk holds the rules of ssh(1), ENVIRONMENT, and asks the real ssh
// the same.
func TestWhereToAsk(t *testing.T) {
	const (
		onTTY     = "typed"
		byAskpass = "asked"
		nowhere   = "" // ssh goes on with an empty password
	)
	askpass := "SSH_ASKPASS=" + fakeAskpass(t, "echo "+byAskpass)
	refusing := "SSH_ASKPASS=" + fakeAskpass(t, "echo no; exit 1")
	for _, test := range []struct {
		name    string
		tty     bool
		env     []string
		want    string
		newOnly bool // OpenSSH 9.2 does not do it yet
	}{
		{name: "a terminal", tty: true, want: onTTY},
		{name: "a terminal before a display", tty: true, env: []string{askpass, "DISPLAY=:0"}, want: onTTY},
		{name: "prefer", tty: true, env: []string{askpass, "DISPLAY=:0", "SSH_ASKPASS_REQUIRE=prefer"}, want: byAskpass},
		{name: "prefer on Wayland", tty: true, env: []string{askpass, "WAYLAND_DISPLAY=w", "SSH_ASKPASS_REQUIRE=prefer"}, want: byAskpass, newOnly: true},
		{name: "prefer without display", tty: true, env: []string{askpass, "SSH_ASKPASS_REQUIRE=prefer"}, want: onTTY},
		{name: "prefer, empty display", tty: true, env: []string{askpass, "DISPLAY=", "SSH_ASKPASS_REQUIRE=prefer"}, want: onTTY},
		{name: "force", tty: true, env: []string{askpass, "SSH_ASKPASS_REQUIRE=force"}, want: byAskpass},
		{name: "FORCE", tty: true, env: []string{askpass, "SSH_ASKPASS_REQUIRE=FORCE"}, want: byAskpass},
		{name: "never", tty: true, env: []string{askpass, "DISPLAY=:0", "SSH_ASKPASS_REQUIRE=never"}, want: onTTY},
		{name: "another word", tty: true, env: []string{askpass, "DISPLAY=:0", "SSH_ASKPASS_REQUIRE=yes"}, want: onTTY},
		{name: "nobody", want: nowhere},
		{name: "display", env: []string{askpass, "DISPLAY=:0"}, want: byAskpass},
		{name: "no display", env: []string{askpass}, want: nowhere},
		{name: "display, never", env: []string{askpass, "DISPLAY=:0", "SSH_ASKPASS_REQUIRE=never"}, want: nowhere},
		{name: "no display, prefer", env: []string{askpass, "SSH_ASKPASS_REQUIRE=prefer"}, want: nowhere},
		{name: "no display, force", env: []string{askpass, "SSH_ASKPASS_REQUIRE=force"}, want: byAskpass},
		{name: "refused", env: []string{refusing, "DISPLAY=:0"}, want: nowhere},
		{name: "no such program", env: []string{"SSH_ASKPASS=/nonexistent", "DISPLAY=:0"}, want: nowhere},
		{name: "empty program", env: []string{"SSH_ASKPASS=", "DISPLAY=:0"}, want: nowhere},
	} {
		run := func(t *testing.T, cmd *exec.Cmd, prompt string) {
			t.Helper()
			cmd.Env = append(withoutAskpass(cmd.Environ()), test.env...)
			if !test.tty {
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return
			}
			c := onTerminal(t, cmd)
			if test.want == onTTY {
				c.expect("\r" + prompt)
				c.enter(onTTY + "\n")
			}
		}
		t.Run(test.name+"/gossh", func(t *testing.T) {
			var stdout bytes.Buffer
			cmd := helper("ask")
			cmd.Stdout = &stdout
			run(t, cmd, "Secret: ")
			cmd.Wait()
			want := fmt.Sprintf("<answer %q>", test.want)
			if got := stdout.String(); got != want && (test.want != nowhere || got != "<no tty>" && got != "<refused>") {
				t.Errorf("got %s, want %s", got, want)
			}
		})
		t.Run(test.name+"/ssh", func(t *testing.T) {
			if test.newOnly {
				t.Skip("newer than OpenSSH 9.2")
			}
			p := startPeer(t)
			cmd := p.openSSH(t)
			run(t, cmd, "user@127.0.0.1's password: ")
			if got := receive(t, p.passwords); got != test.want {
				t.Errorf("the password is %q, want %q", got, test.want)
			}
			cmd.Process.Kill() // as its session begins, ssh ignores SIGTERM for a moment
			cmd.Wait()
		})
	}
}

// withoutAskpass returns env without what decides where to ask.
func withoutAskpass(env []string) []string {
	var rest []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SSH_ASKPASS_PROMPT":
		default:
			rest = append(rest, v)
		}
	}
	return rest
}

// fakeAskpass writes an askpass program, a shell script.
func fakeAskpass(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
