package backchannel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/prompt"
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

// agentPolicy returns the policy of ForwardAgentKeys, ForwardAgentConfirm and
// ForwardAgentLog, or nil if none of them is set. An option that cannot be obeyed
// is an error, because the user would not notice a limit that is missing. The
// function closes the log.
func (f *Forwarding) agentPolicy() (*agentfwd.Policy, func() error, error) {
	own := f.Config.Own
	nothing := func() error { return nil }
	limited := len(own.ForwardAgentKeys) > 0 || own.ForwardAgentConfirm
	if !limited && own.ForwardAgentLog == "" {
		return nil, nothing, nil
	}
	// A log alone forbids nothing.
	policy := &agentfwd.Policy{AllowAll: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		keys, err := agentfwd.NewKeySet(homePaths(own.ForwardAgentKeys)...)
		if err != nil {
			return nil, nil, message.Errorf("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = prompt.AgentUse(f.Print, f.Turns)
	}
	log, err := openUsageLog(own.ForwardAgentLog)
	if err != nil {
		return nil, nil, err
	}
	policy.Log = func(use agentfwd.Use) {
		if log != nil {
			log.Log(use)
		}
		f.Print.AgentUse(use)
	}
	if log == nil {
		return policy, nothing, nil
	}
	return policy, log.Close, nil
}

// openUsageLog opens the log of ForwardAgentLog, if there is one.
func openUsageLog(path string) (*agentfwd.UsageLog, error) {
	if path == "" {
		return nil, nil
	}
	log, err := agentfwd.OpenUsageLog(path)
	if err != nil {
		return nil, message.Errorf("ForwardAgentLog: %s: %s", path, message.Errno(err))
	}
	return log, nil
}

// homePaths replaces ~/ at the start of file names by the home directory.
func homePaths(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if rest, ok := strings.CutPrefix(name, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				out[i] = filepath.Join(home, rest)
			}
		}
	}
	return out
}
