package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
)

// ErrAgentConfirm means that ForwardAgentConfirm is set, but the Prompter is no
// AgentConfirmer. The agent is not forwarded.
var ErrAgentConfirm = errors.New("client: ForwardAgentConfirm without anybody to ask")

// AgentConfirmer is a Prompter that also answers for ForwardAgentConfirm; see
// Confirm of agentfwd.Policy.
type AgentConfirmer interface {
	ConfirmAgentUse(ctx context.Context, use agentfwd.Use) (bool, error)
}

// agentForwarding is the forwarding of the agent that the Client starts when a
// session asks for it.
type agentForwarding struct {
	mu        sync.Mutex
	closed    bool
	forwarder *agentfwd.Forwarder
	log       *agentfwd.UsageLog
}

// ServesAgent reports whether something serves the agent channels that the
// server opens: a handler of HandleChannelOpen, the master that shares the
// connection, or the Client itself, if AgentForward or ForwardAgent is set and
// the agent answers. Package session calls it before it requests agent
// forwarding, because the server then gives its programs a socket, and an
// unserved one would keep them from using something else.
func (c *Client) ServesAgent(ctx context.Context) bool {
	if c.Restricted() {
		return false
	}
	if _, shared := c.NetConn().(controlConn); shared {
		return true // the master decides
	}
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	switch {
	case c.agent.forwarder != nil, c.channels.handles(agentfwd.ChannelType):
		return true
	case c.agent.closed, c.d.opts.AgentForward == nil && !c.d.cfg.ForwardAgent.Enabled:
		return false
	}
	if err := c.serveAgent(ctx); err != nil {
		if !errors.Is(err, agentfwd.ErrNoAgent) {
			c.d.notify(AgentFailed{err})
		}
		return false
	}
	return true
}

// serveAgent forwards the agent of Options.AgentForward or of the configuration.
// The caller holds agent.mu.
func (c *Client) serveAgent(ctx context.Context) error {
	config, err := c.agentForwarder(ctx)
	if err != nil {
		return err
	}
	config.Host = c.d.cfg.HostName
	if binding, err := c.Binding(); err == nil {
		config.Binding = &binding
	}
	f := agentfwd.NewForwarder(config)
	f.Allow()
	if !c.HandleChannelOpen(agentfwd.ChannelType, f.ServeChannel) {
		f.Close() // another handler was registered meanwhile
		return nil
	}
	c.agent.forwarder = f
	return nil
}

// agentForwarder returns the agent to forward, which has answered, and its
// policy. The caller holds agent.mu.
func (c *Client) agentForwarder(ctx context.Context) (agentfwd.ForwarderConfig, error) {
	options := c.d.agentOptions()
	if given := c.d.opts.AgentForward; given != nil {
		source := given.Source
		if given.Choose != nil {
			source = given.Choose()
		}
		return *given, probeAgent(ctx, source, &given.Agent)
	}
	cfg := c.d.cfg
	source, err := agentSource(cfg)
	if socket := cfg.ForwardAgent.Socket; socket != "" {
		source, err = agentfwd.ParseSource(socket)
	}
	if err == nil {
		err = probeAgent(ctx, source, options)
	}
	if err != nil {
		return agentfwd.ForwarderConfig{}, err
	}
	policy, err := c.agentPolicy()
	return agentfwd.ForwarderConfig{Source: source, Agent: *options, Policy: policy}, err
}

// probeAgent returns an error if the agent cannot be connected to.
func probeAgent(ctx context.Context, source agentfwd.Source, options *agentfwd.Options) error {
	probe, err := agentfwd.Dial(ctx, source, options)
	if err != nil {
		return err
	}
	return probe.Close()
}

// agentPolicy returns the policy of ForwardAgentKeys, ForwardAgentConfirm and
// ForwardAgentLog, or nil if none is set. It fails if a limit cannot be applied.
// The caller holds agent.mu.
func (c *Client) agentPolicy() (*agentfwd.Policy, error) {
	own := c.d.cfg.Own
	limited := len(own.ForwardAgentKeys) > 0 || own.ForwardAgentConfirm
	if !limited && own.ForwardAgentLog == "" {
		return nil, nil
	}
	policy := &agentfwd.Policy{AllowAll: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		names := make([]string, len(own.ForwardAgentKeys))
		for i, name := range own.ForwardAgentKeys {
			names[i] = underHome(name)
		}
		keys, err := agentfwd.NewKeySet(names...)
		if err != nil {
			return nil, fmt.Errorf("ForwardAgentKeys: %w", err)
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		who, ok := c.d.opts.Prompter.(AgentConfirmer)
		if !ok {
			return nil, ErrAgentConfirm
		}
		policy.Confirm = who.ConfirmAgentUse
	}
	if own.ForwardAgentLog != "" {
		log, err := agentfwd.OpenUsageLog(own.ForwardAgentLog)
		if err != nil {
			return nil, fmt.Errorf("ForwardAgentLog: %w", err)
		}
		c.agent.log, policy.Log = log, log.Log
	}
	return policy, nil
}

// underHome replaces ~/ at the start of a file name by the home directory.
func underHome(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return name
}

// close ends the forwarding.
func (a *agentForwarding) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.forwarder != nil {
		a.forwarder.Close()
	}
	if a.log != nil {
		a.log.Close()
	}
}
