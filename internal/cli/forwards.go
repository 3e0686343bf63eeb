package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// errForward is a forward that ExitOnForwardFailure makes the end.
var errForward = errors.New("forwarding failed")

// openForwards opens what the configuration asks for. One that fails is a
// line, or the end where ExitOnForwardFailure says so.
func (p *program) openForwards(ctx context.Context, c *client.Client) error {
	cfg := p.cfg
	if cfg.ClearAllForwardings || c.Restricted() {
		return nil
	}
	local := cfg.LocalListeners()
	failed := 0
	for _, spec := range local {
		if err := p.openForward(ctx, c, spec, true); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			failed++
		}
	}
	switch {
	case failed > 0 && cfg.ExitOnForwardFailure: // once all have been tried
		p.console.fatal(noLocalForwarding)
		return errForward
	case failed > 0 && failed == len(local):
		p.console.error(noLocalForwarding)
	}
	for _, spec := range cfg.RemoteForward {
		if err := p.openForward(ctx, c, spec, true); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if cfg.ExitOnForwardFailure {
				return errForward
			}
		}
	}
	return nil
}

const noLocalForwarding = "Could not request local forwarding."

// openForward opens one, and says what came of it in ssh's words. With Reconnect
// and insist, one that fails is tried again.
func (p *program) openForward(ctx context.Context, c *client.Client, spec forward.Spec, insist bool) error {
	if insist {
		p.forwardAsked(spec)
	}
	fwd, err := p.forwardOver(ctx, c, spec, insist)
	var listen *forward.ListenError
	var refused *forward.RefusedError
	switch {
	case err == nil && fwd == nil: // with Reconnect it is on its way, and told of then
	case err == nil && spec.Kind == forward.Remote:
		p.remoteForwardOpened(fwd, spec)
	case errors.As(err, &refused):
		p.remoteForwardAnswered("remote forward failure", spec)
		p.remoteForwardRefused(spec)
	case errors.As(err, &listen):
		p.listenFailed(listen)
	case err != nil:
		p.console.error("%s", xcryptoText(err))
	default:
		p.sayBinds(fwd.BindErrors())
	}
	return err
}

// remoteForwardOpened says that the server listens.
func (p *program) remoteForwardOpened(fwd *forward.Forward, spec forward.Spec) {
	p.remoteForwardAnswered("remote forward success", spec)
	if spec.Listen.Socket == "" && spec.Listen.Port == 0 {
		p.allocatedPort(fwd)
		p.updatedPort(fwd.Spec().Listen.Port, spec)
	}
}

// allocatedPort says which port the server chose.
func (p *program) allocatedPort(fwd *forward.Forward) {
	p.console.info("Allocated port %d for remote forward to %s", fwd.Spec().Listen.Port, targetText(fwd.Spec()))
}

// remoteForwardRefused is an error where it is the end, and a warning else.
func (p *program) remoteForwardRefused(spec forward.Spec) {
	say, how := p.console.info, "Warning"
	if p.cfg.ExitOnForwardFailure {
		say, how = p.console.fatal, "Error"
	}
	if spec.Listen.Socket != "" {
		say("%s: remote port forwarding failed for listen path %s", how, spec.Listen.Socket)
		return
	}
	say("%s: remote port forwarding failed for listen port %d", how, spec.Listen.Port)
}

func (p *program) forwardOptions() forward.Options {
	cfg := p.cfg
	o := forward.Options{
		GatewayPorts: cfg.GatewayPorts,
		SocketMode:   fs.ModeSocket | 0o777&^cfg.StreamLocalBindMask,
		UnlinkSocket: cfg.StreamLocalBindUnlink,
		OnFailure:    p.connFailed,
		Notify:       p.forwardEvent,
	}
	switch cfg.AddressFamily {
	case sshconfig.AddressFamilyInet:
		o.Network = "tcp4"
	case sshconfig.AddressFamilyInet6:
		o.Network = "tcp6"
	}
	if !cfg.PermitRemoteOpen.Any {
		hosts := cfg.PermitRemoteOpen.Hosts
		if len(hosts) == 0 {
			hosts = []string{"none"}
		}
		// They have been parsed once already, by package sshconfig.
		o.Permit, _ = forward.ParsePermitOpen(hosts)
	}
	return o
}

// stdioForward is -W: standard input and output are the connection.
func (p *program) stdioForward(ctx context.Context, c *client.Client) (int, error) {
	p.stdioAsked(p.cfg.StdioForward)
	var free func() int
	p.channel, free = c.Forwards().Number()
	p.channelNew(p.channel, "stdio-forward", "stdio-forward")
	p.denyMoreSessions(c)
	p.beginSession()
	conn, err := c.Forwards().OpenStdio(ctx, p.cfg.StdioForward)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := p.ready.announce(p, nil); err != nil {
		return 0, err
	}
	in, err := terminal.NewInput(int(p.std.Stdin.Fd()))
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := terminal.NewOutput(int(p.std.Stdout.Fd()))
	if err != nil {
		return 0, err
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close(); in.Cancel(); out.Cancel() })
	defer stop()
	ended := make(chan struct{})
	go func() { // ends with the connection or with this function
		select {
		case <-c.Done():
			in.Cancel()
		case <-ended:
		}
	}()
	err = conn.Run(in, stdoutCloser{out, p})
	close(ended)
	switch {
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case c.Err() != nil:
		err = c.Err()
	case errors.Is(err, terminal.ErrCanceled), errors.Is(err, io.EOF):
		err = nil
	}
	p.stdioEnded(p.cfg.StdioForward, free, err)
	return 0, err
}

// stdoutCloser passes the target's end on by closing standard output.
type stdoutCloser struct {
	io.Writer
	p *program
}

func (s stdoutCloser) Close() error { return s.p.std.Stdout.Close() }

// localCommand runs LocalCommand by the user's shell, once the connection is
// up; its status is nobody's business, as with ssh.
func (p *program) localCommand(ctx context.Context) error {
	if !p.cfg.PermitLocalCommand || p.cfg.LocalCommand == "" {
		return nil
	}
	line, err := p.cfg.ExpandLocalCommand("")
	if err != nil {
		return linef("%s", strings.TrimSpace(err.Error()))
	}
	p.runLocalCommand(line)
	return context.Cause(ctx)
}

// runLocalCommand runs a line by the user's shell.
func (p *program) runLocalCommand(line string) {
	cmd := userShellCommand(line)
	p.console.printf(sshconfig.LogDebug3, "debug3: Executing %s -c \"%s\"", cmd.Path, line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.std.Stdin, p.std.Stdout, p.std.Stderr
	if err := cmd.Start(); err != nil {
		p.console.error("Couldn't execute %s -c \"%s\": %s", cmd.Path, line, errnoText(err))
		return
	}
	cmd.Wait()
}

// closeLocalForwards ends what listens here, without asking the server.
func (p *program) closeLocalForwards(c *client.Client) {
	for _, f := range c.Forwards().Forwards() {
		if f.Spec().Kind != forward.Remote {
			f.Close()
		}
	}
}

// awaitForwards waits, after the session, for the connections that are still
// forwarded, as ssh does.
func (p *program) awaitForwards(ctx context.Context, c *client.Client) error {
	p.stopForwards()
	for _, f := range c.Forwards().Forwards() {
		f.Stop()
	}
	select {
	case <-c.Forwards().Idle():
		return nil
	default:
	}
	select {
	case <-c.Forwards().Idle():
	case <-c.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.parting.lost(c.Err())
	return nil
}
