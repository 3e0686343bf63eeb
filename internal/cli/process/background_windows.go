package process

import (
	"os"
	"os/exec"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
)

// Readiness is always nil on Windows, where a process cannot leave its console
// and keep part of it.
type Readiness struct{}

// InBackground returns nil.
func InBackground() *Readiness { return nil }

// Start returns an error.
func (b *Background) Start(...string) (ready bool, status int, err error) {
	return false, 0, message.Errorf("%s: going to the background (-f) is not possible on Windows", b.Program)
}

// Announce does nothing.
func (r *Readiness) Announce(*message.Printer, func() error, bool) error { return nil }

// KeepOutput returns old.
func KeepOutput(old *terminal.Output, _ int) (*terminal.Output, error) { return old, nil }

// ShellCommand returns a command that runs a line with cmd.exe.
func ShellCommand(line string) *exec.Cmd {
	shell := os.Getenv("COMSPEC")
	if shell == "" {
		shell = "cmd.exe"
	}
	return exec.Command(shell, "/c", line)
}
