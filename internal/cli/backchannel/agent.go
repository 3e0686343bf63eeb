package backchannel

import (
	"context"
	"errors"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
)

// AllowsAgent reports whether the agent may be forwarded over c: ForwardAgent is
// on, and no changed host key has disabled it.
func (f *Forwarding) AllowsAgent(c *client.Client) bool {
	return f.Config.ForwardAgent.Enabled && !c.Restricted()
}

// NewAgentForwarder serves the server's channels to an agent, which choose
// returns for each channel. The Forwarder is nil if something else serves them
// already. The function ends it and closes its log.
func (f *Forwarding) NewAgentForwarder(c *client.Client, choose func() agentfwd.Source) (*agentfwd.Forwarder, func() error, error) {
	policy, closeLog, err := f.agentPolicy()
	if err != nil {
		return nil, nil, err
	}
	config := agentfwd.ForwarderConfig{
		Choose: choose,
		Agent:  agentfwd.Options{Logger: f.Print.Logger()},
		Host:   f.Config.HostName,
		Policy: policy,
		Warn:   f.Print.AgentWarning,
	}
	if binding, err := c.Binding(); err == nil {
		config.Binding = &binding
	}
	forwarder := agentfwd.NewForwarder(config)
	closeAgent := func() error { return errors.Join(forwarder.Close(), closeLog()) }
	if !c.HandleChannelOpen(agentfwd.ChannelType, forwarder.ServeChannel) {
		return nil, nil, closeAgent()
	}
	return forwarder, closeAgent, nil
}

// AgentSource returns the agent that ForwardAgent names, or else the one that
// authentication uses. ok is false if there is none.
func (f *Forwarding) AgentSource() (source agentfwd.Source, ok bool, err error) {
	text := f.Config.IdentityAgent
	if f.Config.ForwardAgent.Socket != "" {
		text = f.Config.ForwardAgent.Socket
	}
	if text != "" {
		if source, err = agentfwd.ParseSource(text); err != nil {
			return source, false, message.Errorf("%s", message.ErrorText(err))
		}
	}
	_, err = source.Address(nil)
	return source, err == nil, nil
}

// AgentAnswers reports whether an agent answers. Like ssh, a session requests no
// forwarding of an agent that does not answer at its start.
func (f *Forwarding) AgentAnswers(ctx context.Context, source agentfwd.Source) bool {
	conn, err := agentfwd.Dial(ctx, source, nil)
	if err != nil {
		f.Print.Debugf("no agent to forward: %s", message.ErrorText(err))
		return false
	}
	conn.Close()
	return true
}
