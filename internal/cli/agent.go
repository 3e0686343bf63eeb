package cli

import (
	"context"
	"errors"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
)

// agent sets agent forwarding up for a session.
func (r *sessionRun) agent() (err error) {
	if s := r.p.shared; s != nil { // a master's is for its clients too
		b := s.backward()
		r.cmd.ForwardAgent, err = b.forwardAgent(r.ctx)
		return err
	}
	if !r.p.mayForwardAgent(r.c) {
		return nil
	}
	source, ok, err := r.p.agentSource()
	if err != nil || !ok || !r.p.agentAnswers(r.ctx, source) {
		return err
	}
	f, closeAgent, err := r.p.newAgentForwarder(r.c, func() agentfwd.Source { return source })
	if f == nil {
		return err
	}
	r.closeAgent = closeAgent
	f.Allow()
	r.cmd.ForwardAgent = true
	return nil
}

// mayForwardAgent says whether forwarding is wanted, and no host key that has
// changed forbids it.
func (p *program) mayForwardAgent(c *client.Client) bool {
	return p.cfg.ForwardAgent.Enabled && !c.Restricted()
}

// newAgentForwarder serves the server's channels to the agent, which choose
// gives for each. It is nil if something else serves them already.
func (p *program) newAgentForwarder(c *client.Client, choose func() agentfwd.Source) (*agentfwd.Forwarder, func() error, error) {
	policy, closeLog, err := p.agentPolicy()
	if err != nil {
		return nil, nil, err
	}
	config := agentfwd.ForwarderConfig{
		Choose: choose,
		Agent:  agentfwd.Options{Logger: p.print.Logger()},
		Host:   p.cfg.HostName,
		Policy: policy,
		Warn:   p.print.AgentWarning,
	}
	if binding, err := c.Binding(); err == nil {
		config.Binding = &binding
	}
	f := agentfwd.NewForwarder(config)
	closeAgent := func() error { return errors.Join(f.Close(), closeLog()) }
	if !c.HandleChannelOpen(agentfwd.ChannelType, f.ServeChannel) {
		return nil, nil, closeAgent()
	}
	return f, closeAgent, nil
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
			return source, false, message.Errorf("%s", message.ErrorText(err))
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
		p.print.Debugf("no agent to forward: %s", message.ErrorText(err))
		return false
	}
	conn.Close()
	return true
}
