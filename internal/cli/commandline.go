package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/terminal"
)

func (t *ttySession) HasCommandLine() bool { return t.r.p.cfg.EnableEscapeCommandline }

// commandLine is the escape ~C: a line of forwardings to open or to cancel, in
// the middle of a session. It runs on the goroutine that reads the keyboard.
func (t *ttySession) CommandLine() {
	p := t.r.p
	if !t.HasCommandLine() {
		t.Say("commandline disabled\r\n")
		return
	}
	ctx, cancel := context.WithCancel(t.r.ctx)
	defer cancel()
	go func() { // ends with the command line, or with the remote program
		select {
		case <-t.r.in.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	p.turns.Ask(ctx, func(ctx context.Context) error {
		asker := prompt.NewAsker(p.print)
		line, err := asker.Ask(ctx, "\r\nssh> ", terminal.Echo)
		if err != nil {
			return err // ^C, ^D, or the end: there is nothing to do
		}
		p.runCommandLine(ctx, t.r, line)
		return nil
	})
}

// blanks are C's isspace.
const blanks = " \t\n\v\f\r"

// runCommandLine does what a line of ~C asks for, and says so in ssh's words.
func (p *program) runCommandLine(ctx context.Context, r *sessionRun, line string) {
	line = strings.TrimPrefix(strings.TrimLeft(line, blanks), "-")
	if line == "" {
		return
	}
	switch line[0] {
	case 'h', 'H', '?':
		p.commandLineHelp()
		return
	case '!':
		if p.cfg.PermitLocalCommand {
			p.runLocalCommand(line[1:])
			return
		}
	}
	line, cancel := strings.CutPrefix(line, "K")
	kinds := map[string]forward.Kind{"L": forward.Local, "R": forward.Remote, "D": forward.Dynamic}
	kind, ok := kinds[line[:min(1, len(line))]]
	if !ok {
		p.print.Infof("Invalid command.")
		return
	}
	text := strings.TrimLeft(line[1:], blanks)
	if cancel {
		p.cancelForward(r, kind, text)
		return
	}
	spec, err := forward.ParseSpec(kind, text)
	if err != nil {
		p.print.Infof("Bad %s forwarding specification.", sideName(kind))
		return
	}
	if err := p.openForward(ctx, r.c, spec, false); err != nil { // whoever typed it knows
		p.print.Infof("Port forwarding failed.")
		return
	}
	p.print.Infof("Forwarding port.")
}

// sideName is what ssh calls a kind here: a dynamic one is a local one to it.
func sideName(kind forward.Kind) forward.Kind {
	if kind == forward.Dynamic {
		return forward.Local
	}
	return kind
}

func (p *program) commandLineHelp() {
	lines := []string{
		"Commands:",
		"      -L[bind_address:]port:host:hostport    Request local forward",
		"      -R[bind_address:]port:host:hostport    Request remote forward",
		"      -D[bind_address:]port                  Request dynamic forward",
		"      -KL[bind_address:]port                 Cancel local forward",
		"      -KR[bind_address:]port                 Cancel remote forward",
		"      -KD[bind_address:]port                 Cancel dynamic forward",
	}
	if p.cfg.PermitLocalCommand {
		lines = append(lines, "      !args                                  Execute local command")
	}
	for _, line := range lines {
		p.print.Infof("%s", line)
	}
}

// cancelForward stops what listens there. Connections that are up stay.
func (p *program) cancelForward(r *sessionRun, kind forward.Kind, text string) {
	// What is cancelled is named by where it listens, as a -D is.
	spec, err := forward.ParseSpec(forward.Dynamic, text)
	if err != nil {
		p.print.Infof("Bad forwarding close specification.")
		return
	}
	named := p.forwardsAt(r.c, kind, listenName(spec.Listen))
	for _, f := range named {
		f.Stop()
	}
	if len(named) == 0 {
		p.print.Infof("Unknown port forwarding.")
		return
	}
	p.print.Infof("Canceled forwarding.")
}

// forwardsAt are the forwardings that listen there; with Reconnect also those
// that are to listen there again, under each port that was told for them.
func (p *program) forwardsAt(c *client.Client, kind forward.Kind, at forward.Addr) (found []interface{ Stop() error }) {
	if p.kept == nil {
		for _, f := range c.Forwards().Forwards() {
			if s := f.Spec(); s.Kind == kind && f.Err() == nil && listenName(s.Listen) == at {
				found = append(found, f)
			}
		}
		return found
	}
	for _, f := range p.kept.Forwards() {
		s := f.Spec()
		if s.Listen.Port == 0 && slices.Contains(f.Ports(), at.Port) {
			s.Listen.Port = at.Port
		}
		if s.Kind == kind && listenName(s.Listen) == at {
			found = append(found, f)
		}
	}
	return found
}

// listenName is a listening address as ssh compares it to cancel a forwarding:
// the default, every interface and localhost are one.
func listenName(a forward.Addr) forward.Addr {
	if a.Host == "*" || a.Host == "localhost" {
		a.Host = ""
	}
	a.EmptyHost = false
	return a
}
