//go:build unix

package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// A Go process cannot fork, so -f is a process of its own from the start: it
// inherits the terminal for its questions, says when it is ready, and then
// lets go of its parent's session and descriptors.

// readyVariable names the descriptor on which the child says so.
const readyVariable = "GOSSH_READY_FD"

// readiness is the child's end of that. A nil readiness is the foreground.
type readiness struct{ pipe *os.File }

// inBackground says that this process is such a child. It is asked once: the
// variable is not for those that this process starts.
func (p *program) inBackground() bool {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	if err != nil || fd < 3 {
		return false
	}
	os.Unsetenv(readyVariable)
	unix.CloseOnExec(fd)
	p.ready = &readiness{pipe: os.NewFile(uintptr(fd), "ready")}
	return true
}

// startBackground runs this invocation in a child, and returns when that is
// ready, or has failed with a status. env is for the child alone.
func (p *program) startBackground(env ...string) (ready bool, status int, err error) {
	exe, err := os.Executable()
	if err != nil {
		return false, 0, message.Errorf("%s: cannot find the program to run in the background: %v", p.name, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return false, 0, err
	}
	defer r.Close()
	keepInherited()
	child := exec.Command(exe, p.args...)
	child.Args[0] = p.invoked
	child.Stdin, child.Stdout, child.Stderr = p.std.Stdin, p.std.Stdout, p.std.Stderr
	child.ExtraFiles = []*os.File{w}
	child.Env = append(append(os.Environ(), readyVariable+"=3"), env...)
	err = child.Start()
	w.Close()
	if err != nil {
		return false, 0, err
	}
	return p.awaitBackground(child, r)
}

// keepInherited keeps the descriptors above 2 that this process was started
// with, a script's lock or pipe, from what it starts: whoever stays in the
// background would hold on to them. Those of Go are close-on-exec already. ssh
// closes them all at its start.
func keepInherited() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// awaitBackground passes on the signals that would have met the child, had it
// been this process. Those of the keyboard meet both; this one must not go
// first, or the terminal would be the shell's again before the child has put
// its modes right.
func (p *program) awaitBackground(child *exec.Cmd, r io.Reader) (ready bool, status int, err error) {
	caught := make(chan os.Signal, 4)
	for _, sig := range endSignals() {
		if !signal.Ignored(sig) {
			signal.Notify(caught, sig)
		}
	}
	p.watches.Add(1)
	defer p.stopWatching(caught)
	said := make(chan bool, 1)
	go func() { // ends when the child has said so, or ended
		n, _ := io.ReadFull(r, make([]byte, 1))
		said <- n == 1
	}()
	for {
		select {
		case sig := <-caught:
			child.Process.Signal(sig)
		case ready := <-said:
			if ready {
				return true, 0, nil
			}
			status, err := waitStatus(child)
			return false, status, err
		}
	}
}

// waitStatus is the status of a child that did not become ready; a death by
// signal becomes ours.
func waitStatus(child *exec.Cmd) (int, error) {
	err := child.Wait()
	if child.ProcessState == nil {
		return 0, err
	}
	if st, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		dieOf(st.Signal())
		return exitSignalled + int(st.Signal()), nil
	}
	return child.ProcessState.ExitCode(), nil
}

// announce lets the parent go. The session keeps the descriptors that it
// writes to, as ssh's does, until its command ends; without a session there is
// nothing left that holds on to the caller.
func (r *readiness) announce(p *program, run *sessionRun) error {
	if r == nil {
		return nil
	}
	if run != nil {
		if err := run.keepDescriptors(); err != nil {
			return err
		}
	}
	// Without a controlling terminal there is no SIGHUP from its end.
	if _, err := unix.Setsid(); err != nil {
		p.print.Debugf("setsid: %v", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		// With -f the messages of -v go on, as ssh's do. A master that
		// persists closes its standard error, since a caller that reads the
		// first session's output to its end would wait for the master too.
		if fd == 2 && p.print.Level() >= sshconfig.LogDebug1 && !p.print.Moved() && !p.master {
			continue
		}
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return fmt.Errorf("dup2: %w", err)
		}
	}
	_, err = r.pipe.Write([]byte{1})
	r.pipe.Close()
	p.ready = nil // with Reconnect there are others
	return err
}

// keepDescriptors moves the session's output to descriptors of its own.
func (r *sessionRun) keepDescriptors() error {
	var err error
	if r.out, err = duplicated(r.out, 1); err != nil {
		return err
	}
	if r.err, err = duplicated(r.err, 2); err != nil {
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = held{r.out, &r.hold}, held{r.err, &r.hold}
	return nil
}

func duplicated(old *terminal.Output, fd int) (*terminal.Output, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return old, err
	}
	old.Close()
	return terminal.NewOutput(dup)
}

// userShellCommand runs a line by the user's shell.
func userShellCommand(line string) *exec.Cmd {
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	return exec.Command(shell, "-c", strings.TrimSpace(line))
}
