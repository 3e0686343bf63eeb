package cli

import (
	"github.com/gossh-project/gossh/agentfwd"
)

// agent sets agent forwarding up, if it is wanted and a host key that has
// changed does not forbid it.
func (r *sessionRun) agent() error {
	p, want := r.p, r.p.cfg.ForwardAgent
	if !want.Enabled || r.c.Restricted() {
		return nil
	}
	config, err := p.agentConfig()
	if err != nil {
		return err
	}
	if config == nil {
		return nil
	}
	if binding, err := r.c.Binding(); err == nil {
		config.Binding = &binding
	}
	f := agentfwd.NewForwarder(*config)
	if !r.c.HandleChannelOpen(agentfwd.ChannelType, f.ServeChannel) {
		return nil
	}
	f.Allow()
	r.closeAgent = f.Close
	r.cmd.ForwardAgent = true
	return nil
}

// agentConfig is what ForwardAgent and its policy say; nil if there is no
// agent to forward.
func (p *program) agentConfig() (*agentfwd.ForwarderConfig, error) {
	text := p.cfg.IdentityAgent
	if p.cfg.ForwardAgent.Socket != "" {
		text = p.cfg.ForwardAgent.Socket
	}
	var source agentfwd.Source
	var err error
	if text != "" {
		if source, err = agentfwd.ParseSource(text); err != nil {
			return nil, linef("%v", err)
		}
	}
	if _, err := source.Address(nil); err != nil {
		return nil, nil
	}
	return &agentfwd.ForwarderConfig{
		Source: source,
		Agent:  agentfwd.Options{Logger: p.console.logger()},
		Host:   p.cfg.HostName,
		Warn:   func(err error) { p.console.error("agent forwarding: %v", err) },
	}, nil
}
