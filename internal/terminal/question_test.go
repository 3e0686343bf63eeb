//go:build linux || darwin || freebsd

package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadSecretAnswers(t *testing.T) {
	long := strings.Repeat("a", 2000)
	tests := []struct {
		name, keys, want string
	}{
		{"a line", "hunter2\n", `<answer "hunter2">`},
		{"carriage return", "hunter2\r", `<answer "hunter2">`},
		{"empty is not the end", "\n", `<answer "">`},
		{"the end", "\x04", `<eof>`},
		{"a line without its end", "part\x04\x04", `<answer "part">`},
		{"backspace", "huntex\x7fr2\n", `<answer "hunter2">`},
		{"kill the line", "wrong\x15hunter2\n", `<answer "hunter2">`},
		{"no UTF-8", "p\xe4ss\xff\n", `<answer "p\xe4ss\xff">`},
		{"spaces stay", "  two  words \n", `<answer "  two  words ">`},
		{"too long is cut", long + "\n", `<answer "` + long[:lineLimit] + `">`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := helper("secret")
			var stdout strings.Builder
			cmd.Stdout = &stdout // the question goes to /dev/tty all the same
			cmd.Stdin = strings.NewReader("not this\n")
			c := onTerminal(t, cmd)
			c.expect("Secret: ")
			during := getTermios(t, c.slave)
			if during.Lflag&(unix.ECHO|unix.ECHONL) != 0 {
				t.Errorf("the echo is on: lflag %#x", during.Lflag)
			}
			if during.Lflag&unix.ICANON == 0 || during.Lflag&unix.ISIG == 0 {
				t.Errorf("line editing or signals are off: lflag %#x", during.Lflag)
			}
			c.enter(test.keys)
			c.expect("\r\n")
			c.wait()
			if got := stdout.String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if after := getTermios(t, c.slave); after != c.before {
				t.Errorf("modes not restored: %+v, before %+v", after, c.before)
			}
		})
	}
}

func TestReadSecretDiscardsWhatWasTypedTooEarly(t *testing.T) {
	master, slave := openPTY(t)
	io.WriteString(master, "early\n")
	await(t, "the line's arrival", func() bool { return readable(t, slave) })
	tty := &TTY{in: int(slave.Fd()), out: int(slave.Fd())}
	answered := make(chan string, 1)
	go func() {
		answer, _ := tty.ReadLine(context.Background(), "Secret: ", false)
		answered <- answer
	}()
	readUntil(t, master, "Secret: ")
	io.WriteString(master, "late\n")
	if got := <-answered; got != "late" {
		t.Errorf("got %q", got)
	}
}

func TestReadLineEchoes(t *testing.T) {
	master, slave := openPTY(t)
	tty := &TTY{in: int(slave.Fd()), out: int(slave.Fd())}
	before := getTermios(t, slave)
	answered := make(chan string, 1)
	go func() {
		answer, _ := tty.ReadLine(context.Background(), "(yes/no)? ", true)
		answered <- answer
	}()
	readUntil(t, master, "(yes/no)? ")
	if during := getTermios(t, slave); during.Lflag&unix.ECHO == 0 {
		t.Error("the echo is off")
	}
	io.WriteString(master, "yes\n")
	if got := <-answered; got != "yes" {
		t.Errorf("got %q", got)
	}
	readUntil(t, master, "yes\r\n") // the echo, and not a second line end
	if after := getTermios(t, slave); after != before {
		t.Error("modes not restored")
	}
}

func TestReadSecretCanceled(t *testing.T) {
	master, slave := openPTY(t)
	tty := &TTY{in: int(slave.Fd()), out: int(slave.Fd())}
	before := getTermios(t, slave)
	because := errors.New("the server hung up")
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := tty.ReadLine(ctx, "Secret: ", false)
		ended <- err
	}()
	readUntil(t, master, "Secret: ")
	cancel(because)
	if err := <-ended; err != because {
		t.Errorf("got %v", err)
	}
	if after := getTermios(t, slave); after != before {
		t.Error("modes not restored")
	}
	// No read was left behind: the next line goes to the next reader.
	io.WriteString(master, "next\n")
	buf := make([]byte, 16)
	if n, err := slave.Read(buf); err != nil || string(buf[:n]) != "next\n" {
		t.Errorf("the next reader got %q, %v", buf[:n], err)
	}
}

// TestReadSecretKilled is the end that real ssh has at its own prompt: death
// by the signal, nothing said but the end of the line.
func TestReadSecretKilled(t *testing.T) {
	for _, test := range []struct {
		name string
		keys string
		send syscall.Signal
		want syscall.Signal
	}{
		{name: "ctrl-C", keys: "half\x03", want: syscall.SIGINT},
		{name: "SIGTERM", send: syscall.SIGTERM, want: syscall.SIGTERM},
		{name: "SIGHUP", send: syscall.SIGHUP, want: syscall.SIGHUP},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := onTerminal(t, helper("secret"))
			c.expect("Secret: ")
			if test.keys != "" {
				c.enter(test.keys)
			} else {
				c.cmd.Process.Signal(test.send)
			}
			status := c.wait()
			if !status.Signaled() || status.Signal() != test.want {
				t.Errorf("ended with %v, want death by %v", c.cmd.ProcessState, test.want)
			}
			if said := c.expect("\r\n"); said != "\r\n" {
				t.Errorf("it said %q", said)
			}
			if after := getTermios(t, c.slave); after != c.before {
				t.Error("modes not restored")
			}
		})
	}
}

// TestReadSecretQuit: the Go runtime answers SIGQUIT with a traceback.
func TestReadSecretQuit(t *testing.T) {
	cmd := helper("secret")
	cmd.Stderr, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	c := onTerminal(t, cmd)
	c.expect("Secret: ")
	c.enter("\x1c")
	if status := c.wait(); status.ExitStatus() != 2 {
		t.Errorf("ended with %v", c.cmd.ProcessState)
	}
	if after := getTermios(t, c.slave); after != c.before {
		t.Error("modes not restored")
	}
}

func TestReadSecretSignalHandledElsewhere(t *testing.T) {
	c := onTerminal(t, helper("secret-handled"))
	c.expect("Secret: ")
	c.enter("\x03")
	c.expect("<signal interrupt>")
}

func TestReadSecretStoppedAsksAgain(t *testing.T) {
	c, report, order := onShell(t, "secret")
	for range 2 { // also the second time
		c.expect("Secret: ")
		await(t, "echo off", func() bool { return getTermios(t, c.slave).Lflag&unix.ECHO == 0 })
		c.enter("half\x1a")
		if got := report(); got != "stopped stopped" { // SIGTSTP's name in Go
			t.Fatalf("the shell saw %q", got)
		}
		if stopped := getTermios(t, c.slave); stopped != c.before {
			t.Error("modes not restored while stopped")
		}
		order("fg  ")
	}
	c.expect("Secret: ")
	c.enter("whole\n")
	c.expect(`<answer "whole">`)
	if got := report(); got != "exited 0" {
		t.Errorf("the shell saw %q", got)
	}
}

// In a process group that nobody could continue, the kernel ignores SIGTSTP:
// the question comes again at once, as from ssh.
func TestReadSecretCannotBeStopped(t *testing.T) {
	c := onTerminal(t, helper("secret"))
	c.expect("Secret: ")
	c.enter("\x1a")
	c.expect("Secret: ")
	c.enter("on\n")
	c.expect(`<answer "on">`)
}

func TestNoTTY(t *testing.T) {
	cmd := helper("secret")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a session without a terminal
	out, err := cmd.Output()
	if err != nil || string(out) != "<no tty>" {
		t.Errorf("got %s, %v", out, err)
	}
}

// readable reports whether a line can be read from f.
func readable(t *testing.T, f *os.File) bool {
	t.Helper()
	return ready(t, f, unix.POLLIN)
}

// readUntil reads from f until text has come.
func readUntil(t *testing.T, f *os.File, text string) {
	t.Helper()
	var got []byte
	buf := make([]byte, 256)
	for !strings.Contains(string(got), text) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, buf[:n]...)
	}
}
