package agentfwd

import (
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh/agent"
)

// TestForwardChosen: each channel gets the agent of its time, and keeps it.
func TestForwardChosen(t *testing.T) {
	var sockets []string
	for _, comment := range []string{"first", "second"} {
		keyring := agent.NewKeyring()
		addKeys(t, keyring, comment)
		sockets = append(sockets, keyringAgent(t, keyring))
	}
	var now atomic.Pointer[Source]
	choose := func(s Source) { now.Store(&s) }
	h := newHop(t, ForwarderConfig{
		Source: at(sockets[0]), // not asked for
		Choose: func() Source { return *now.Load() },
	}, false)
	shows := func(remote agent.Agent, want string) {
		t.Helper()
		keys, err := remote.List()
		if err != nil || len(keys) != 1 || keys[0].Comment != want {
			t.Errorf("want the key %q, got %v, %v", want, keys, err)
		}
	}
	choose(at(sockets[1]))
	early := agent.NewClient(h.open(t))
	shows(early, "second")
	choose(at(sockets[0]))
	shows(agent.NewClient(h.open(t)), "first")
	shows(early, "second")
	choose(Source{Kind: SourceNone})
	if ch, _, err := h.server.OpenChannel(ChannelType, nil); err == nil {
		t.Errorf("a channel to no agent: %v", ch)
	}
}
