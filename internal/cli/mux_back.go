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
// there for all until the connection ends. A client's own would need the
// protocol to pass them; ssh's master does the same.
type backward struct {
	p *program
	c *client.Client

	mu     sync.Mutex
	agent  lazily[agentfwd.Forwarder]
	x11    lazily[x11fwd.Forwarder]
	closes []func() error
}

// lazily is something that is made once, or found not to be had.
type lazily[T any] struct {
	made  bool
	value *T // nil if there is none
	err   error
}

// forwardAgent says whether the server may open channels to the agent, from
// now on.
func (b *backward) forwardAgent(ctx context.Context) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.agent.made {
		f, closeAgent, err := b.p.newAgentForwarder(ctx, b.c)
		if ctx.Err() != nil {
			return false, err // of that session alone
		}
		b.agent = lazily[agentfwd.Forwarder]{true, f, err}
		if f != nil {
			b.closes = append(b.closes, closeAgent)
		}
	}
	if b.agent.value == nil {
		return false, b.agent.err
	}
	b.agent.value.Allow()
	return true, nil
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
func (b *backward) passengerAgent() bool {
	ok, err := b.forwardAgent(context.Background())
	return ok && err == nil
}

func (b *backward) passengerX11(ctx context.Context) *session.X11 {
	x, err := b.forwardX11(ctx)
	if err != nil {
		return nil
	}
	return x
}
