package share

import (
	"context"
	"errors"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/session"
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
