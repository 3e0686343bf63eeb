package cli

import (
	"os"
	"os/exec"

	"github.com/gossh-project/gossh/internal/cli/message"
)

// readiness is never there on Windows: a process cannot let go of its console
// and keep what it has of it.
type readiness struct{}

func (p *program) inBackground() bool { return false }

func (p *program) startBackground(...string) (ready bool, status int, err error) {
	return false, 0, message.Errorf("%s: going to the background (-f) is not possible on Windows", p.name)
}

func (r *readiness) announce(*program, *sessionRun) error { return nil }

// userShellCommand runs a line by cmd.exe.
func userShellCommand(line string) *exec.Cmd {
	shell := os.Getenv("COMSPEC")
	if shell == "" {
		shell = "cmd.exe"
	}
	return exec.Command(shell, "/c", line)
}
