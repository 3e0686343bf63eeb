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

// defaultAskpass is run if SSH_ASKPASS is not set. OpenSSH's is a path fixed
// when it is built, /usr/bin/ssh-askpass for most; this one is looked up in
// PATH.
const defaultAskpass = "ssh-askpass"

// askpassGrace is how long an askpass program may take to end once it was told
// to, and whoever it left behind to close its stdout.
const askpassGrace = 500 * time.Millisecond

// askpass shows prompt by the askpass program and returns the first line of
// what it prints. Another status than 0, or no such program, is ErrRefused.
// The program is ended when ctx is done.
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

// An ExecError is an askpass program that cannot be run.
type ExecError struct {
	Program string
	Notice  bool // it was to show a [Notice]
	Err     error
}

func (e *ExecError) Error() string { return "exec " + e.Program + ": " + e.Err.Error() }

func (e *ExecError) Unwrap() error { return e.Err }

// startAskpass starts the program with prompt as its only argument.
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

// askpassCommand prepares the program.
func (p *Prompter) askpassCommand(ctx context.Context, hint, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = p.stderr()
	if hint != "" {
		cmd.Env = append(os.Environ(), "SSH_ASKPASS_PROMPT="+hint)
	}
	cmd.Cancel = func() error { return endProcess(cmd.Process) }
	cmd.WaitDelay = askpassGrace
	return cmd
}

// endProcess asks the process to end; where there is no asking, it is killed.
func endProcess(process *os.Process) error {
	err := process.Signal(syscall.SIGTERM)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return process.Kill()
}

// A Notice is a text shown without a question, until Close.
type Notice struct {
	onTerminal bool
	cancel     context.CancelFunc
	process    *exec.Cmd // nil if none was started
}

// Notify shows text, such as "Confirm user presence for key …", without an
// answer: on stderr if that is a terminal, else through the askpass program
// (SSH_ASKPASS_PROMPT=none) if there is a display or SSH_ASKPASS_REQUIRE=force,
// else not at all. With batch it leaves the terminal alone. It does not block.
// Close must be called; ctx ends the program too.
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
		cmd.Stderr = nil // nothing of it is for the person at stderr
		return cmd
	})
	if err != nil {
		cancel()
		p.debug("cannot notify", "err", err)
		return &Notice{}
	}
	return &Notice{cancel: cancel, process: cmd}
}

// OnTerminal reports whether the text went to stderr, so that the caller can
// say there how it ended.
func (n *Notice) OnTerminal() bool { return n.onTerminal }

// Close takes the notice down: the askpass program gets SIGTERM, half a
// second later SIGKILL, and is waited for.
func (n *Notice) Close() error {
	if n.process == nil {
		return nil
	}
	n.cancel()
	n.process.Wait() // it ends by our signal: its status says nothing
	n.process = nil
	return nil
}

// A limitedBuffer keeps the first lineLimit bytes and drops the rest.
type limitedBuffer struct {
	kept []byte
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.kept == nil {
		b.kept = make([]byte, 0, lineLimit) // never reallocated, so wipe gets all
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
