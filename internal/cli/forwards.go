package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

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
		p.print.NoLocalForwarding(true)
		return message.ErrForward
	case failed > 0 && failed == len(local):
		p.print.NoLocalForwarding(false)
	}
	for _, spec := range cfg.RemoteForward {
		if err := p.openForward(ctx, c, spec, true); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if cfg.ExitOnForwardFailure {
				return message.ErrForward
			}
		}
	}
	return nil
}

// openForward opens one, and says what came of it in ssh's words. With Reconnect
// and insist, one that fails is tried again.
func (p *program) openForward(ctx context.Context, c *client.Client, spec forward.Spec, insist bool) error {
	if insist {
		p.print.ForwardRequested(spec)
	}
	fwd, err := p.forwardOver(ctx, c, spec, insist)
	p.print.ForwardResult(spec, fwd, err)
	return err
}

func (p *program) forwardOptions() forward.Options {
	cfg := p.cfg
	o := forward.Options{
		GatewayPorts: cfg.GatewayPorts,
		SocketMode:   fs.ModeSocket | 0o777&^cfg.StreamLocalBindMask,
		UnlinkSocket: cfg.StreamLocalBindUnlink,
		OnFailure:    p.print.ForwardConnFailed,
		Notify:       p.print.ForwardEvent,
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
	p.print.StdioRequested(p.cfg.StdioForward)
	var free func() int
	p.channel, free = c.Forwards().Number()
	p.print.ChannelOpened(p.channel, "stdio-forward", "stdio-forward")
	p.denyMoreSessions(c)
	p.print.SessionBegins()
	conn, err := c.Forwards().OpenStdio(ctx, p.cfg.StdioForward)
	if err != nil {
		return 0, p.onChannel(err)
	}
	defer conn.Close()
	if err := p.ready.Announce(p.print, nil, p.master); err != nil {
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
	p.print.StdioEnded(p.channel, p.cfg.StdioForward, free, err)
	return 0, p.onChannel(err)
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
		return message.Errorf("%s", strings.TrimSpace(err.Error()))
	}
	p.runLocalCommand(line)
	return context.Cause(ctx)
}

// runLocalCommand runs a line by the user's shell.
func (p *program) runLocalCommand(line string) {
	cmd := process.ShellCommand(line)
	p.print.Printf(sshconfig.LogDebug3, "debug3: Executing %s -c \"%s\"", cmd.Path, line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.std.Stdin, p.std.Stdout, p.std.Stderr
	if err := cmd.Start(); err != nil {
		p.print.Errorf("Couldn't execute %s -c \"%s\": %s", cmd.Path, line, message.Errno(err))
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
