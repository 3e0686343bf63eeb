//go:build unix

package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// A Go process cannot fork. With -f the program starts itself again: the child
// inherits the terminal for its questions, reports when it is ready, and then
// leaves its parent's session and descriptors.

// readyVariable names the descriptor on which the child reports that it is ready.
const readyVariable = "GOSSH_READY_FD"

// Readiness reports from a child in the background that it is ready. A nil
// Readiness belongs to a process in the foreground.
type Readiness struct{ pipe *os.File }

// InBackground returns the Readiness of a child in the background, or nil. It
// works once: children of this process do not inherit the answer.
func InBackground() *Readiness {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	if err != nil || fd < 3 {
		return nil
	}
	os.Unsetenv(readyVariable)
	unix.CloseOnExec(fd)
	return &Readiness{pipe: os.NewFile(uintptr(fd), "ready")}
}

// Start runs the program in a child, and returns when the child is ready or has
// ended with a status. env is added to the child's environment.
func (b *Background) Start(env ...string) (ready bool, status int, err error) {
	exe, err := os.Executable()
	if err != nil {
		return false, 0, message.Errorf("%s: cannot find the program to run in the background: %v", b.Program, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return false, 0, err
	}
	defer r.Close()
	keepInherited()
	child := exec.Command(exe, b.Args...)
	child.Args[0] = b.Invoked
	child.Stdin, child.Stdout, child.Stderr = b.Std.Stdin, b.Std.Stdout, b.Std.Stderr
	child.ExtraFiles = []*os.File{w}
	child.Env = append(append(os.Environ(), readyVariable+"=3"), env...)
	err = child.Start()
	w.Close()
	if err != nil {
		return false, 0, err
	}
	return b.await(child, r)
}

// keepInherited keeps inherited descriptors above 2, such as a script's lock or
// pipe, from the child, which would hold them open in the background. ssh closes
// them at its start. Go's descriptors are close-on-exec already.
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

// await passes on the signals that would have reached the child, had it been
// this process. Signals of the keyboard reach both. This process must not end
// first, or the shell would get the terminal before the child has restored it.
func (b *Background) await(child *exec.Cmd, r io.Reader) (ready bool, status int, err error) {
	caught := b.Signals.watch(4)
	defer b.Signals.stopWatching(caught)
	reported := make(chan bool, 1)
	go func() { // ends when the child has reported or ended
		n, _ := io.ReadFull(r, make([]byte, 1))
		reported <- n == 1
	}()
	for {
		select {
		case sig := <-caught:
			child.Process.Signal(sig)
		case ready := <-reported:
			if ready {
				return true, 0, nil
			}
			status, err := waitStatus(child)
			return false, status, err
		}
	}
}

// waitStatus returns the status of a child that did not become ready. If a signal
// ended the child, the same signal ends this process.
func waitStatus(child *exec.Cmd) (int, error) {
	err := child.Wait()
	if child.ProcessState == nil {
		return 0, err
	}
	if st, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		die(st.Signal())
		return DeathStatus(st.Signal()), nil
	}
	return child.ProcessState.ExitCode(), nil
}

// Announce reports that this process is ready, and redirects its descriptors 0 to
// 2 to the null device. keep is called before that, and may move descriptors that
// the session still writes to; it may be nil. Standard error stays open for the
// messages of -v, as with ssh -f, unless closeStderr is set: the caller of a
// master would otherwise wait for the end of a pipe that the master holds open.
// Announce does nothing in the foreground or when called again.
func (r *Readiness) Announce(print *message.Printer, keep func() error, closeStderr bool) error {
	if r == nil || r.pipe == nil {
		return nil
	}
	if keep != nil {
		if err := keep(); err != nil {
			return err
		}
	}
	// Without a controlling terminal there is no SIGHUP from its end.
	if _, err := unix.Setsid(); err != nil {
		print.Debugf("setsid: %v", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if fd == 2 && !closeStderr && print.Level() >= sshconfig.LogDebug1 && !print.Moved() {
			continue
		}
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return fmt.Errorf("dup2: %w", err)
		}
	}
	_, err = r.pipe.Write([]byte{1})
	r.pipe.Close()
	r.pipe = nil // with Reconnect there is a next connection
	return err
}

// KeepOutput moves an output to a descriptor of its own, so that it stays open
// when Announce redirects fd.
func KeepOutput(old *terminal.Output, fd int) (*terminal.Output, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return old, err
	}
	old.Close()
	return terminal.NewOutput(dup)
}

// ShellCommand returns a command that runs a line with the user's shell.
func ShellCommand(line string) *exec.Cmd {
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	return exec.Command(shell, "-c", strings.TrimSpace(line))
}
