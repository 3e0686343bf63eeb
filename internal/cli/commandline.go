package cli

import (
	"context"
	"strings"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// HasCommandLine reports whether the escape ~C is enabled.
func (t *ttySession) HasCommandLine() bool { return t.r.cfg.EnableEscapeCommandline }

// CommandLine is the escape ~C: the user types a forwarding to open or to cancel.
// It runs on the goroutine that reads the keyboard.
func (t *ttySession) CommandLine() {
	r := t.r
	if !t.HasCommandLine() {
		t.Say("commandline disabled\r\n")
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go func() { // ends with the command line, or with the remote program
		select {
		case <-r.in.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	r.turns.Ask(ctx, func(ctx context.Context) error {
		asker := prompt.NewAsker(r.print)
		line, err := asker.Ask(ctx, "\r\nssh> ", terminal.Echo)
		if err != nil {
			return err // ^C, ^D, or the end of the session
		}
		r.runCommandLine(ctx, line)
		return nil
	})
}

// blanks are the characters of C's isspace.
const blanks = " \t\n\v\f\r"

// runCommandLine does what a line of ~C asks for, and prints the result.
func (r *remoteSession) runCommandLine(ctx context.Context, line string) {
	line = strings.TrimPrefix(strings.TrimLeft(line, blanks), "-")
	if line == "" {
		return
	}
	switch line[0] {
	case 'h', 'H', '?':
		r.commandLineHelp()
		return
	case '!':
		if r.cfg.PermitLocalCommand {
			runLocalCommand(r.print, line[1:], r.std)
			return
		}
	}
	line, cancel := strings.CutPrefix(line, "K")
	kinds := map[string]forward.Kind{"L": forward.Local, "R": forward.Remote, "D": forward.Dynamic}
	kind, ok := kinds[line[:min(1, len(line))]]
	if !ok {
		r.print.Infof("Invalid command.")
		return
	}
	text := strings.TrimLeft(line[1:], blanks)
	if cancel {
		r.cancelForward(kind, text)
		return
	}
	spec, err := forward.ParseSpec(kind, text)
	if err != nil {
		r.print.Infof("Bad %s forwarding specification.", sideName(kind))
		return
	}
	if err := r.forwards.open(ctx, r.connection, spec, false); err != nil {
		r.print.Infof("Port forwarding failed.")
		return
	}
	r.print.Infof("Forwarding port.")
}

// sideName returns what ssh calls a kind here. It calls a dynamic forwarding local.
func sideName(kind forward.Kind) forward.Kind {
	if kind == forward.Dynamic {
		return forward.Local
	}
	return kind
}

// commandLineHelp prints the help of ~C.
func (r *remoteSession) commandLineHelp() {
	lines := []string{
		"Commands:",
		"      -L[bind_address:]port:host:hostport    Request local forward",
		"      -R[bind_address:]port:host:hostport    Request remote forward",
		"      -D[bind_address:]port                  Request dynamic forward",
		"      -KL[bind_address:]port                 Cancel local forward",
		"      -KR[bind_address:]port                 Cancel remote forward",
		"      -KD[bind_address:]port                 Cancel dynamic forward",
	}
	if r.cfg.PermitLocalCommand {
		lines = append(lines, "      !args                                  Execute local command")
	}
	for _, line := range lines {
		r.print.Infof("%s", line)
	}
}

// cancelForward stops the listeners at an address. Open connections stay.
func (r *remoteSession) cancelForward(kind forward.Kind, text string) {
	// The user types only the listening address, as for -D.
	spec, err := forward.ParseSpec(forward.Dynamic, text)
	if err != nil {
		r.print.Infof("Bad forwarding close specification.")
		return
	}
	named := r.forwards.at(r.connection, kind, listenName(spec.Listen))
	for _, f := range named {
		f.Stop()
	}
	if len(named) == 0 {
		r.print.Infof("Unknown port forwarding.")
		return
	}
	r.print.Infof("Canceled forwarding.")
}

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
