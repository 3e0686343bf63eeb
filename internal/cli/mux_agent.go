package cli

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// agentChoice is which agent a master gives to the server's next channel. Such
// a channel does not say which session it is for (auth-agent@openssh.com has no
// fields), so it is for all of them: the agent of the latest session that
// brought one, while that lasts, and otherwise the master's, if a session asked
// for that. Its zero value is no agent.
type agentChoice struct {
	mu      sync.Mutex
	own     agentfwd.Source
	asked   bool // for own
	clients []clientAgent
}

// clientAgent is one that a client brought.
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

// useOwn says that a session asked for the master's agent.
func (a *agentChoice) useOwn(own agentfwd.Source) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own, a.asked = own, true
}

// add puts an agent in front for as long as ctx lasts.
func (a *agentChoice) add(ctx context.Context, source agentfwd.Source) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = append(slices.DeleteFunc(a.clients, clientAgent.gone), clientAgent{source, ctx.Done()})
}

// choose is the agent of a channel that opens now.
func (a *agentChoice) choose() agentfwd.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients = slices.DeleteFunc(a.clients, clientAgent.gone)
	switch n := len(a.clients); {
	case n > 0:
		return a.clients[n-1].source
	case a.asked:
		return a.own
	}
	return agentfwd.Source{Kind: agentfwd.SourceNone}
}

// bringsAgent says whether a session over a master is to forward the agent of
// this process.
func (p *program) bringsAgent() bool {
	return p.cfg.Own.MuxAgent == sshconfig.MuxAgentClient && p.cfg.ForwardAgent.Enabled
}

// agentForMaster is the socket of our agent, for a master of ours to forward;
// "" if it is to forward its own, or there is none.
func (p *program) agentForMaster() (string, error) {
	if !p.bringsAgent() {
		return "", nil
	}
	source, ok, err := p.agentSource()
	if err != nil || !ok {
		return "", err
	}
	address, err := source.Address(nil)
	if err != nil {
		return "", err
	}
	return filepath.Abs(address) // the master is in another folder
}

// wantsMasterAgent says whether a session asks mc for an agent: not if it is to
// be ours and there is none, which the master would take for its own.
func (p *program) wantsMasterAgent(mc *mux.Client) bool {
	if !p.bringsAgent() {
		return p.cfg.ForwardAgent.Enabled
	}
	socket, _ := p.agentForMaster() // connecting has told of an error
	if socket != "" && !mc.TakesAgent() {
		p.print.Debugf("MuxAgent: the master forwards its own agent")
	}
	return socket != ""
}
