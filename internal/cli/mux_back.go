package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/x11fwd"
)

// backward is what the server may open towards a master: the agent and the
// display of the master's user, made when the first session asks for one, and
// there for all until the connection ends, as with ssh's master. The agent may
// also be a client's: see agentChoice.
type backward struct {
	p *program
	c *client.Client

	agents agentChoice

	mu     sync.Mutex
	own    lazily[agentfwd.Source]    // the master's agent, if it answered
	agent  lazily[agentfwd.Forwarder] // of whichever agent
	x11    lazily[x11fwd.Forwarder]
	closes []func() error
}

// lazily is something that is made once, or found not to be had.
type lazily[T any] struct {
	made  bool
	value *T // nil if there is none
	err   error
}

// forwardAgent says whether the server may open channels to the master's
// agent, from now on.
func (b *backward) forwardAgent(ctx context.Context) (bool, error) {
	if !b.p.mayForwardAgent(b.c) {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := b.agentForwarder()
	if f == nil {
		return false, err
	}
	if !b.own.made {
		source, ok, err := b.p.agentSource()
		ok = ok && b.p.agentAnswers(ctx, source)
		if ctx.Err() != nil {
			return false, nil // that session alone has ended
		}
		b.own = lazily[agentfwd.Source]{made: true, err: err}
		if ok {
			b.own.value = &source
		}
	}
	if b.own.value == nil {
		return false, b.own.err
	}
	b.agents.useOwn(*b.own.value)
	f.Allow()
	return true, nil
}

// forwardClientAgent is forwardAgent for an agent that a client brought, for as
// long as ctx lasts. One that does not answer is none, and not replaced by the
// master's, which the client does not want.
//
// It is not for the master's configuration to refuse such agents: who may talk
// to the master is its user, or root, who may talk to the agent as well. What
// the master limits (ForwardAgent, ForwardAgentKeys and the like) holds for
// every agent.
func (b *backward) forwardClientAgent(ctx context.Context, socket string) (bool, error) {
	source := agentfwd.Source{Kind: agentfwd.SourcePath, Value: socket}
	if !b.p.mayForwardAgent(b.c) || !b.p.agentAnswers(ctx, source) {
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

// agentForwarder is there before any agent is, as a client may still bring one;
// until then it refuses channels. It is called with mu held.
func (b *backward) agentForwarder() (*agentfwd.Forwarder, error) {
	if !b.agent.made {
		f, closeAgent, err := b.p.newAgentForwarder(b.c, b.agents.choose)
		b.agent = lazily[agentfwd.Forwarder]{true, f, err}
		if f != nil {
			b.closes = append(b.closes, closeAgent)
		}
	}
	return b.agent.value, b.agent.err
}

// forwardX11 is what a session has to ask for; nil if nothing.
func (b *backward) forwardX11(ctx context.Context) (*session.X11, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.x11.made {
		f, err := b.p.newX11Forwarder(ctx, b.c)
		if ctx.Err() != nil {
			return nil, err
		}
		b.x11 = lazily[x11fwd.Forwarder]{true, f, err}
		if f != nil {
			b.closes = append(b.closes, f.Close)
		}
	}
	if b.x11.value == nil {
		return nil, b.x11.err
	}
	return b.p.x11Request(b.x11.value), nil
}

// close ends the connections to both.
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

// passengerAgent and passengerX11 are for the clients of the master.
func (b *backward) passengerAgent(ctx context.Context, socket string) bool {
	if socket != "" {
		ok, err := b.forwardClientAgent(ctx, socket)
		return ok && err == nil
	}
	ok, err := b.forwardAgent(ctx)
	return ok && err == nil
}

func (b *backward) passengerX11(ctx context.Context) *session.X11 {
	x, err := b.forwardX11(ctx)
	if err != nil {
		return nil
	}
	return x
}
