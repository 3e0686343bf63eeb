//go:build linux

package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// TestCrash checks that a panic in any goroutine restores the terminal, and that
// the trace is printed.
func TestCrash(t *testing.T) {
	for where, act := range map[string]func(master *os.File){
		"none":      nil,
		"main":      nil,
		"goroutine": nil,
		"output":    nil,
		"stderr":    nil,
		"on stderr": nil,
		"keyboard":  func(master *os.File) { io.WriteString(master, "\r~#") },
		"resize":    func(master *os.File) { pty.Setsize(master, &pty.Winsize{Rows: 7, Cols: 9}) },
	} {
		t.Run(where, func(t *testing.T) {
			master, slave, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			defer slave.Close()
			before := modes(t, slave)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), crashVariable+"="+where)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			defer kill.Stop()
			var mu sync.Mutex // the program may end before it is looked at
			var during unix.Termios
			ended := false
			seen := make(chan string, 1)
			go follow(master, seen, func() {
				mu.Lock()
				defer mu.Unlock()
				if ended {
					return
				}
				during = modes(t, slave)
				if act != nil {
					act(master)
				}
				io.WriteString(master, "go on\r")
			})
			err = cmd.Wait()
			after := modes(t, slave)
			mu.Lock()
			ended = true
			slave.Close()
			mu.Unlock()
			text := <-seen
			var exit *exec.ExitError
			crashed := errors.As(err, &exit) && exit.ExitCode() == 2 && strings.Contains(text, "panic: ")
			if crashed != (where != "none") {
				t.Errorf("ended with %v: %s", err, text)
			}
			if where != "main" && where != "goroutine" && during.Lflag&(unix.ECHO|unix.ICANON) != 0 {
				t.Errorf("the terminal was not raw: %s", text)
			}
			if after != before {
				t.Errorf("the terminal was left with the modes %+v, before %+v: %s", after, before, text)
			}
		})
	}
}

func modes(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Error(err)
		return unix.Termios{}
	}
	return *m
}

// follow reads the output of the program, and calls then when the program is
// ready. It ends with the terminal.
func follow(master io.Reader, seen chan<- string, then func()) {
	var all strings.Builder
	for r := bufio.NewReader(master); ; {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, "ready") {
			then()
		}
		if err != nil {
			seen <- all.String()
			return
		}
	}
}

// crash runs a session at the terminal that panics in the given place.
func crash(where string) int {
	dir, err := os.MkdirTemp("", "gossh-crash-")
	check(err)
	defer os.RemoveAll(dir)
	srv, err := sshtest.Start(&sshtest.Options{Handler: func(s *sshtest.Session) sshtest.Exit {
		io.WriteString(s, "ready\r\n")
		bufio.NewReader(s).ReadString('\r')
		io.WriteString(s.Stderr(), "stderr\r\n")
		io.WriteString(s, "stdout\r\n")
		if where != "none" {
			<-s.Context().Done() // there is all the time that a crash takes
		}
		return sshtest.Exit{}
	}})
	check(err)
	files, err := srv.WriteFiles(dir)
	check(err)
	cfg, err := sshconfig.Load(context.Background(), "x", sshconfig.Options{UserFile: files.Config})
	check(err)
	env := newEnvironment("gossh", Std{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}).withConfig(cfg)
	c, err := client.Dial(context.Background(), "x", &client.Options{Config: cfg})
	check(err)
	run := &remoteSession{environment: env, task: task.New(cfg, "", true), client: c, ctx: context.Background(), quit: func(error) {}}
	back := &backchannel.Forwarding{Config: cfg, Print: env.print, Turns: env.turns}
	check(run.prepare(back.NewSession(c)))
	defer run.close()
	switch where {
	case "main":
		started := run.cmd.OnStarted
		run.cmd.OnStarted = func() { started(); panic(where) }
	case "goroutine":
		started := run.cmd.OnStarted
		run.cmd.OnStarted = func() {
			started()
			go env.guard.Run(func() { panic(where) })
		}
	case "output":
		run.cmd.Stdout = panicWriter{run.cmd.Stdout}
	case "stderr":
		run.cmd.Stderr = panicWriter{run.cmd.Stderr}
	case "on stderr":
		run.cmd.OnStderr = func() { panic(where) }
	case "keyboard": // the list of connections, of none
		run.tty.r = &remoteSession{environment: env, cmd: run.cmd}
	case "resize":
		run.tty.r = &remoteSession{environment: env, client: c}
	}
	end, _ := run.run()
	return end.status
}

// panicWriter panics when it gets the last output of the session.
type panicWriter struct{ to io.Writer }

func (w panicWriter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("std")) {
		panic("in Write")
	}
	return w.to.Write(p)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
