package share

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

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
