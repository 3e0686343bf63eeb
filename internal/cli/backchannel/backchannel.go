// Package backchannel serves what the server may open towards the client besides
// forwarded connections: channels to the agent and to the X11 display.
package backchannel

import (
	"context"
	"errors"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/x11fwd"
)

// Forwarding forwards the agent and the display as the configuration says.
type Forwarding struct {
	Config *sshconfig.Config
	Print  *message.Printer
	Turns  *prompt.Turns // for ForwardAgentConfirm
}

// Session forwards the agent and the display over one connection for the time of
// one session. It is not safe for concurrent use.
type Session struct {
	*Forwarding
	client *client.Client
	closes []func() error
}

// NewSession returns a Session over c. Nothing is forwarded yet.
func (f *Forwarding) NewSession(c *client.Client) *Session {
	return &Session{Forwarding: f, client: c}
}

// ForwardAgent lets the server open channels to the agent, and reports whether
// the session has to request agent forwarding.
func (s *Session) ForwardAgent(ctx context.Context) (bool, error) {
	if !s.AllowsAgent(s.client) {
		return false, nil
	}
	source, ok, err := s.AgentSource()
	if err != nil || !ok || !s.AgentAnswers(ctx, source) {
		return false, err
	}
	f, closeAgent, err := s.NewAgentForwarder(s.client, func() agentfwd.Source { return source })
	if f == nil {
		return false, err
	}
	s.closes = append(s.closes, closeAgent)
	f.Allow()
	return true, nil
}

// ForwardX11 lets the server open channels to the display, and returns what the
// session has to request, nil if nothing. number returns the number of the
// session's channel for messages.
func (s *Session) ForwardX11(ctx context.Context, number func() int) (*session.X11, error) {
	f, err := s.NewX11Forwarder(ctx, s.client)
	if f == nil {
		return nil, err
	}
	s.closes = append(s.closes, f.Close)
	return s.X11Request(f, number), nil
}

// Close ends the connections to the agent and the display.
func (s *Session) Close() error {
	var errs []error
	for _, f := range s.closes {
		errs = append(errs, f())
	}
	s.closes = nil
	return errors.Join(errs...)
}

// RefuseUnrequested refuses channels of the types that nothing serves yet, and
// warns about a server that opens one.
func (f *Forwarding) RefuseUnrequested(c *client.Client) {
	for channelType, what := range map[string]string{x11fwd.ChannelType: "X11", agentfwd.ChannelType: "agent"} {
		c.HandleChannelOpen(channelType, func(ch ssh.NewChannel) {
			f.Print.UnrequestedChannel(what)
			ch.Reject(ssh.Prohibited, "open failed")
		})
	}
}

// NewX11Forwarder serves the server's channels to the display. The Forwarder is
// nil if X11 is not to be forwarded, or if there is no display.
func (f *Forwarding) NewX11Forwarder(ctx context.Context, c *client.Client) (*x11fwd.Forwarder, error) {
	cfg := f.Config
	if !cfg.ForwardX11 || c.Restricted() {
		return nil, nil
	}
	display := os.Getenv("DISPLAY")
	if display == "" {
		f.Print.Debugf("X11 forwarding requested but DISPLAY not set")
		return nil, nil
	}
	forwarder, err := x11fwd.New(ctx, x11fwd.Options{
		Display: display,
		Trusted: cfg.ForwardX11Trusted,
		Timeout: cfg.ForwardX11Timeout,
		XAuth:   cfg.XAuthLocation,
		Warn:    f.Print.X11Warning,
		Logger:  f.Print.Logger(),
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		f.Print.X11Failed(err)
		return nil, nil
	}
	if !c.HandleChannelOpen(x11fwd.ChannelType, forwarder.ServeChannel) {
		return nil, forwarder.Close()
	}
	return forwarder, nil
}

// X11Request returns what a session has to request from the server. number
// returns the number of its channel for a message.
func (f *Forwarding) X11Request(x *x11fwd.Forwarder, number func() int) *session.X11 {
	return &session.X11{
		AuthProtocol: x.AuthProtocol(),
		AuthCookie:   x.Cookie(),
		Screen:       x.Screen(),
		Refused:      func() { f.Print.Infof("X11 forwarding request failed on channel %d", number()) },
	}
}
