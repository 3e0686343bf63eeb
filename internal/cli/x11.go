package cli

import (
	"context"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/x11fwd"
)

// forwardBack sets up what the server may open towards us besides forwarded
// connections: X11 and the agent. It comes before the session asks for them.
func (r *sessionRun) forwardBack() error {
	if err := r.x11(); err != nil {
		return err
	}
	if err := r.agent(); err != nil {
		return err
	}
	r.refuseUnrequested(x11fwd.ChannelType, "X11")
	r.refuseUnrequested(agentfwd.ChannelType, "agent")
	return nil
}

// refuseUnrequested names a server that opens channels nobody asked for. It
// leaves a type alone that has its handler.
func (r *sessionRun) refuseUnrequested(channelType, what string) {
	r.c.HandleChannelOpen(channelType, func(ch ssh.NewChannel) {
		r.p.print.UnrequestedChannel(what)
		ch.Reject(ssh.Prohibited, "open failed")
	})
}

// x11 sets X11 forwarding up for a session.
func (r *sessionRun) x11() (err error) {
	if s := r.p.shared; s != nil { // a master's is for its clients too
		b := s.backward()
		r.cmd.X11, err = b.forwardX11(r.ctx)
		return err
	}
	f, err := r.p.newX11Forwarder(r.ctx, r.c)
	if f == nil {
		return err
	}
	r.closeX11 = f.Close
	r.cmd.X11 = r.p.x11Request(f)
	return nil
}

// newX11Forwarder serves the server's channels to the display. It is nil if
// that is not wanted, or there is none.
func (p *program) newX11Forwarder(ctx context.Context, c *client.Client) (*x11fwd.Forwarder, error) {
	cfg := p.cfg
	if !cfg.ForwardX11 || c.Restricted() {
		return nil, nil
	}
	display := os.Getenv("DISPLAY")
	if display == "" {
		p.print.Debugf("X11 forwarding requested but DISPLAY not set")
		return nil, nil
	}
	f, err := x11fwd.New(ctx, x11fwd.Options{
		Display: display,
		Trusted: cfg.ForwardX11Trusted,
		Timeout: cfg.ForwardX11Timeout,
		XAuth:   cfg.XAuthLocation,
		Warn:    p.print.X11Warning,
		Logger:  p.print.Logger(),
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		p.print.X11Failed(err)
		return nil, nil
	}
	if !c.HandleChannelOpen(x11fwd.ChannelType, f.ServeChannel) {
		return nil, f.Close()
	}
	return f, nil
}

// x11Request is what a session asks the server for.
func (p *program) x11Request(f *x11fwd.Forwarder) *session.X11 {
	return &session.X11{
		AuthProtocol: f.AuthProtocol(),
		AuthCookie:   f.Cookie(),
		Screen:       f.Screen(),
		Refused:      func() { p.print.Infof("X11 forwarding request failed on channel %d", p.channel) },
	}
}
