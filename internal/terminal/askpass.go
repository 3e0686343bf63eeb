package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/internal/shellexec"
)

// defaultAskpass is the program to run if SSH_ASKPASS is not set, looked up in
// PATH. OpenSSH has a fixed path from its build, often /usr/bin/ssh-askpass.
const defaultAskpass = "ssh-askpass"

// askpassGrace is the time that an askpass program has to exit after SIGTERM,
// and its child processes to close its stdout after it has exited.
const askpassGrace = 500 * time.Millisecond

// askpass runs the askpass program with prompt and returns the first line of its
// output. It returns ErrRefused if the program cannot be run or exits with a
// status other than 0. It terminates the program when ctx is done.
func (p *Prompter) askpass(ctx context.Context, prompt, hint string) (string, error) {
	var answer limitedBuffer
	defer answer.wipe()
	cmd, err := p.startAskpass(prompt, false, func(name string, args ...string) *exec.Cmd {
		cmd := p.askpassCommand(ctx, hint, name, args...)
		cmd.Stdin, cmd.Stdout = p.stdin(), &answer
		return cmd
	})
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return answer.firstLine(), nil
}

// An ExecError reports that an askpass program cannot be run.
type ExecError struct {
	Program string
	Notice  bool // the program was started by [Prompter.Notify]
	Err     error
}

func (e *ExecError) Error() string { return "exec " + e.Program + ": " + e.Err.Error() }

func (e *ExecError) Unwrap() error { return e.Err }

// startAskpass starts the askpass program with prompt as its only argument.
func (p *Prompter) startAskpass(prompt string, notice bool, command func(string, ...string) *exec.Cmd) (*exec.Cmd, error) {
	program, ok := p.Env.lookup("SSH_ASKPASS")
	if !ok {
		program = defaultAskpass
	}
	p.debug("running askpass", "program", program)
	cmd, err := shellexec.Start(command, program, prompt)
	if err != nil {
		e := &ExecError{Program: program, Notice: notice, Err: err}
		if p.ExecFailed != nil {
			p.ExecFailed(e)
		}
		return nil, e
	}
	return cmd, nil
}

// askpassCommand returns the command for the askpass program. If hint is not
// empty, it becomes the value of SSH_ASKPASS_PROMPT.
func (p *Prompter) askpassCommand(ctx context.Context, hint, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = p.stderr()
	if hint != "" {
		cmd.Env = append(os.Environ(), "SSH_ASKPASS_PROMPT="+hint)
	}
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = askpassGrace
	return cmd
}

// terminate sends SIGTERM, or kills the process where there is no SIGTERM.
func terminate(process *os.Process) error {
	err := process.Signal(syscall.SIGTERM)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return process.Kill()
}

// A Notice is a message that remains visible until Close and has no answer.
type Notice struct {
	onTerminal bool
	cancel     context.CancelFunc
	process    *exec.Cmd // nil if none was started
}

// Notify shows a message, such as "Confirm user presence for key …", that has no
// answer. It writes text to stderr if that is a terminal and batch is false.
// Otherwise it starts the askpass program with SSH_ASKPASS_PROMPT=none if there
// is a display or SSH_ASKPASS_REQUIRE is force, and else does nothing. It does
// not block. The caller must call Close. The program also ends when ctx is done.
func (p *Prompter) Notify(ctx context.Context, text string, batch bool) *Notice {
	if !batch && IsTerminal(int(p.stderr().Fd())) {
		io.WriteString(p.stderr(), text+"\r\n") // the terminal may be raw
		return &Notice{onTerminal: true}
	}
	if program, ok := p.Env.lookup("SSH_ASKPASS"); ok && program == "" || !p.askpassAllowed() {
		p.debug("cannot notify: no askpass or no display")
		return &Notice{}
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := p.startAskpass(text, true, func(name string, args ...string) *exec.Cmd {
		cmd := p.askpassCommand(ctx, "none", name, args...)
		cmd.Stderr = nil // the message has no answer, so errors do not matter to the user
		return cmd
	})
	if err != nil {
		cancel()
		p.debug("cannot notify", "err", err)
		return &Notice{}
	}
	return &Notice{cancel: cancel, process: cmd}
}

// OnTerminal reports whether the text was written to stderr, so that the caller
// can write the outcome there too.
func (n *Notice) OnTerminal() bool { return n.onTerminal }

// Close removes the notice. It sends SIGTERM to the askpass program, SIGKILL half
// a second later, and waits for its exit.
func (n *Notice) Close() error {
	if n.process == nil {
		return nil
	}
	n.cancel()
	n.process.Wait() // our signal ends it, so its status means nothing
	n.process = nil
	return nil
}

// A limitedBuffer keeps the first lineLimit bytes and drops the rest.
type limitedBuffer struct {
	kept []byte
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.kept == nil {
		b.kept = make([]byte, 0, lineLimit) // never reallocated, so wipe clears all of it
	}
	b.kept = append(b.kept, p[:min(len(p), lineLimit-len(b.kept))]...)
	return len(p), nil
}

func (b *limitedBuffer) firstLine() string {
	if end := bytes.IndexAny(b.kept, "\r\n"); end >= 0 {
		return secretText(b.kept[:end])
	}
	return secretText(b.kept)
}

func (b *limitedBuffer) wipe() { clear(b.kept) }
