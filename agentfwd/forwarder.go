package agentfwd

import (
	"golang.org/x/crypto/ssh"
)

// ChannelType is that of the channels that a server opens towards our agent.
const ChannelType = "auth-agent@openssh.com"

// RequestType is the channel request that asks a server for agent forwarding.
// It has no payload.
const RequestType = "auth-agent-req@openssh.com"

// DefaultMaxChannels is the default of ForwarderConfig.MaxChannels.
const DefaultMaxChannels = 256

// ForwarderConfig is what a [Forwarder] needs. Its zero value forwards the
// agent of SSH_AUTH_SOCK, unbound, with no policy.
type ForwarderConfig struct {
	// Source is the agent to forward.
	Source Source
	// Agent tunes the connections to it.
	Agent Options
	// Binding names the server to the agent. Without one (nil), keys that are
	// restricted to hosts cannot be used, and the server's own session-bind
	// requests are refused: the first of them would pass for ours.
	Binding *Binding
	// Host is the server's name for Use.Host and messages.
	Host string
	// Policy narrows what the server can do. nil passes everything.
	Policy *Policy
	// MaxChannels bounds the channels open at a time. 0 means
	// DefaultMaxChannels.
	MaxChannels int
	// Warn is told once that the agent cannot be reached, with an
	// *UnavailableError or ErrNoAgent, and again only after it could. nil means
	// no warning.
	Warn func(err error)
}

// Forwarder serves the agent channels of one connection.
type Forwarder struct{}

// NewForwarder makes a Forwarder, which refuses every channel until Allow.
func NewForwarder(config ForwarderConfig) *Forwarder { return &Forwarder{} }

// Allow lets channels in: forwarding was asked for on this connection.
func (f *Forwarder) Allow() {}

// Allowed says whether Allow was called.
func (f *Forwarder) Allowed() bool { return false }

// Serve serves each channel that arrives, and returns when chans is closed. It
// takes what ssh.Client.HandleChannelOpen returns.
func (f *Forwarder) Serve(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		f.ServeChannel(ch)
	}
}

// ServeChannel accepts or rejects one channel and passes messages between it
// and a fresh connection to the agent. It does not block: a goroutine does the
// work, which ends with the channel, with the agent's connection, or at Close.
func (f *Forwarder) ServeChannel(ch ssh.NewChannel) {}

// Close ends every channel and agent connection, waits for their goroutines,
// and rejects channels that come later.
func (f *Forwarder) Close() error { return nil }
