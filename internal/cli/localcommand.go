package cli

import (
	"context"
	"strings"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/sshconfig"
)

// runConfiguredLocalCommand runs LocalCommand, if there is one. Like ssh it ignores
// the exit status.
func runConfiguredLocalCommand(ctx context.Context, print *message.Printer, cfg *sshconfig.Config, std Std) error {
	if !cfg.PermitLocalCommand || cfg.LocalCommand == "" {
		return nil
	}
	line, err := cfg.ExpandLocalCommand("")
	if err != nil {
		return message.Errorf("%s", strings.TrimSpace(err.Error()))
	}
	runLocalCommand(print, line, std)
	return context.Cause(ctx)
}

// runLocalCommand runs a line with the user's shell.
func runLocalCommand(print *message.Printer, line string, std Std) {
	cmd := process.ShellCommand(line)
	print.Printf(sshconfig.LogDebug3, "debug3: Executing %s -c \"%s\"", cmd.Path, line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = std.Stdin, std.Stdout, std.Stderr
	if err := cmd.Start(); err != nil {
		print.Errorf("Couldn't execute %s -c \"%s\": %s", cmd.Path, line, message.Errno(err))
		return
	}
	cmd.Wait()
}
