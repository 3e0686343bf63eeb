package share

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/x11fwd"
)

// backward forwards the agent and the display over one connection for all
// sessions. Like ssh's master it starts with the first session that requests one,
// and ends with the connection. The agent may also be a client's, see
// agentChoice.
type backward struct {
	*backchannel.Forwarding
	client *client.Client

	agents agentChoice

	mu     sync.Mutex
	own    once[agentfwd.Source]    // the master's agent, if it answered
	agent  once[agentfwd.Forwarder] // for every agent
	x11    once[x11fwd.Forwarder]
	closes []func() error
}

// once holds the result of a first attempt.
type once[T any] struct {
	made  bool
	value *T // nil if there is none
	err   error
}

// ForwardAgent lets the server open channels to the master's agent, and reports
// whether the session has to request agent forwarding.
func (b *backward) ForwardAgent(ctx context.Context) (bool, error) {
	if !b.AllowsAgent(b.client) {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := b.agentForwarder()
	if f == nil {
		return false, err
	}
	if !b.own.made {
		source, ok, err := b.AgentSource()
		ok = ok && b.AgentAnswers(ctx, source)
		if ctx.Err() != nil {
			return false, nil // only that session has ended
		}
		b.own = once[agentfwd.Source]{made: true, err: err}
		if ok {
			b.own.value = &source
		}
	}
	if b.own.value == nil {
		return false, b.own.err
	}
	b.agents.setOwn(*b.own.value)
	f.Allow()
	return true, nil
}

// forwardClientAgent is like ForwardAgent, for the agent of a client, until ctx
// ends. If that agent does not answer there is none: the client does not want the
// master's.
//
// The master's configuration has no option to refuse such agents: only its user
// and root can talk to the master, and they can talk to the agent as well. The
// limits of the master (ForwardAgent, ForwardAgentKeys and so on) apply to every
// agent.
func (b *backward) forwardClientAgent(ctx context.Context, socket string) (bool, error) {
	source := agentfwd.Source{Kind: agentfwd.SourcePath, Value: socket}
	if !b.AllowsAgent(b.client) || !b.AgentAnswers(ctx, source) {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := b.agentForwarder()
	if f == nil {
		return false, err
	}
	b.agents.add(ctx, source)
	f.Allow()
	return true, nil
}

// agentForwarder returns the Forwarder, which exists before an agent does because
// a client may bring one later. It refuses channels until then. The caller holds
// mu.
func (b *backward) agentForwarder() (*agentfwd.Forwarder, error) {
	if !b.agent.made {
		f, closeAgent, err := b.NewAgentForwarder(b.client, b.agents.choose)
		b.agent = once[agentfwd.Forwarder]{true, f, err}
		if f != nil {
			b.closes = append(b.closes, closeAgent)
		}
	}
	return b.agent.value, b.agent.err
}

// ForwardX11 lets the server open channels to the display, and returns what a
// session has to request, nil if nothing.
func (b *backward) ForwardX11(ctx context.Context, number func() int) (*session.X11, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.x11.made {
		f, err := b.NewX11Forwarder(ctx, b.client)
		if ctx.Err() != nil {
			return nil, err
		}
		b.x11 = once[x11fwd.Forwarder]{true, f, err}
		if f != nil {
			b.closes = append(b.closes, f.Close)
		}
	}
	if b.x11.value == nil {
		return nil, b.x11.err
	}
	return b.X11Request(b.x11.value, number), nil
}

// Close does nothing: what a session uses is for all.
func (b *backward) Close() error { return nil }

// close ends the connections to the agent and the display.
func (b *backward) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, f := range b.closes {
		errs = append(errs, f())
	}
	b.closes = nil
	return errors.Join(errs...)
}

// clientAgent serves a client's request for an agent. socket is the agent that the
// client brings, "" for the master's.
func (b *backward) clientAgent(ctx context.Context, socket string) bool {
	if socket != "" {
		ok, err := b.forwardClientAgent(ctx, socket)
		return ok && err == nil
	}
	ok, err := b.ForwardAgent(ctx)
	return ok && err == nil
}

// clientX11 serves a client's request for X11.
func (b *backward) clientX11(ctx context.Context) *session.X11 {
	x, err := b.ForwardX11(ctx, func() int { return 0 })
	if err != nil {
		return nil
	}
	return x
}

// agentChoice chooses the agent for the next channel that the server opens. Such a
// channel does not name its session (auth-agent@openssh.com has no fields). The
// choice is the agent of the latest client whose session still runs, or else the
// master's agent if a session has requested that. The zero agentChoice chooses no
// agent.
type agentChoice struct {
	mu      sync.Mutex
	own     agentfwd.Source
	useOwn  bool
	clients []clientAgent
}

// clientAgent is the agent of a client.
type clientAgent struct {
	source agentfwd.Source
	ended  <-chan struct{} // closed with the client's session
}

func (a clientAgent) gone() bool {
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// setOwn records that a session has requested the master's agent.
func (a *agentChoice) setOwn(own agentfwd.Source) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own, a.useOwn = own, true
}

// add makes source the first choice until ctx ends.
func (a *agentChoice) add(ctx context.Context, source agentfwd.Source) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = append(slices.DeleteFunc(a.clients, clientAgent.gone), clientAgent{source, ctx.Done()})
}

// choose returns the agent for a channel that opens now.
func (a *agentChoice) choose() agentfwd.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = slices.DeleteFunc(a.clients, clientAgent.gone)
	switch n := len(a.clients); {
	case n > 0:
		return a.clients[n-1].source
	case a.useOwn:
		return a.own
	}
	return agentfwd.Source{Kind: agentfwd.SourceNone}
}

// bringsAgent reports whether a session over a master is to use the agent of this
// process.
func bringsAgent(cfg *sshconfig.Config) bool {
	return cfg.Own.MuxAgent == sshconfig.MuxAgentClient && cfg.ForwardAgent.Enabled
}

// agentSocket returns the absolute path of the agent socket that a gossh master is
// to forward for this process. It returns "" if the master is to use its own
// agent, or if there is no agent.
func agentSocket(back *backchannel.Forwarding) (string, error) {
	if !bringsAgent(back.Config) {
		return "", nil
	}
	source, ok, err := back.AgentSource()
	if err != nil || !ok {
		return "", err
	}
	address, err := source.Address(nil)
	if err != nil {
		return "", err
	}
	return filepath.Abs(address) // the master has another working directory
}

// wantsAgent reports whether a session requests an agent from mc. If it is to be
// our agent and there is none, it requests nothing: the master would forward its
// own.
func (a *Client) wantsAgent(mc *mux.Client) bool {
	if !bringsAgent(a.Config) {
		return a.Config.ForwardAgent.Enabled
	}
	socket, _ := agentSocket(a.Back) // connect has reported an error
	if socket != "" && !mc.TakesAgent() {
		a.Print.Debugf("MuxAgent: the master forwards its own agent")
	}
	return socket != ""
}
