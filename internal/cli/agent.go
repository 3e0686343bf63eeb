package cli

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gossh-project/gossh/agentfwd"
)

// agent sets agent forwarding up, if it is wanted and a host key that has
// changed does not forbid it.
func (r *sessionRun) agent() error {
	p, want := r.p, r.p.cfg.ForwardAgent
	if !want.Enabled || r.c.Restricted() {
		return nil
	}
	source, ok, err := p.agentSource()
	if err != nil || !ok || !p.agentAnswers(r.ctx, source) {
		return err
	}
	policy, closeLog, err := p.agentPolicy()
	if err != nil {
		return err
	}
	config := agentfwd.ForwarderConfig{
		Source: source,
		Agent:  agentfwd.Options{Logger: p.console.logger()},
		Host:   p.cfg.HostName,
		Policy: policy,
		Warn:   p.agentWarning,
	}
	if binding, err := r.c.Binding(); err == nil {
		config.Binding = &binding
	}
	f := agentfwd.NewForwarder(config)
	r.closeAgent = func() error { return errors.Join(f.Close(), closeLog()) }
	if !r.c.HandleChannelOpen(agentfwd.ChannelType, f.ServeChannel) {
		return nil
	}
	p.console.printf(levelDebug1, "debug1: Requesting authentication agent forwarding.")
	f.Allow()
	r.cmd.ForwardAgent = true
	return nil
}

// agentSource is the agent that ForwardAgent names, or that authentication
// uses; ok is false if there is none.
func (p *program) agentSource() (source agentfwd.Source, ok bool, err error) {
	text := p.cfg.IdentityAgent
	if p.cfg.ForwardAgent.Socket != "" {
		text = p.cfg.ForwardAgent.Socket
	}
	if text != "" {
		if source, err = agentfwd.ParseSource(text); err != nil {
			return source, false, linef("%s", xcryptoText(err))
		}
	}
	_, err = source.Address(nil)
	return source, err == nil, nil
}

// agentAnswers says whether there is an agent to forward: ssh does not ask for
// forwarding where none answers at the start.
func (p *program) agentAnswers(ctx context.Context, source agentfwd.Source) bool {
	conn, err := agentfwd.Dial(ctx, source, nil)
	if err != nil {
		p.console.printf(levelDebug1, "debug1: no agent to forward: %s", xcryptoText(err))
		return false
	}
	conn.Close()
	return true
}

// agentWarning words what package agentfwd warns of.
func (p *program) agentWarning(err error) {
	switch {
	case errors.Is(err, agentfwd.ErrNotRequested):
		p.breakIn("agent")
	case errors.Is(err, agentfwd.ErrNoAgent), errors.Is(err, fs.ErrNotExist):
		p.console.printf(levelDebug1, "debug1: agent forwarding: %s", xcryptoText(err))
	default:
		p.console.error("Agent forwarding: %s", xcryptoText(err))
	}
}
