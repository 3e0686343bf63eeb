package cli

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
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
		r.p.breakIn(what)
		ch.Reject(ssh.Prohibited, "open failed")
	})
}

func (p *program) breakIn(what string) {
	p.console.error("Warning: ssh server tried %s forwarding.", what)
	p.console.error("Warning: this is probably a break-in attempt by a malicious server.")
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
		p.console.printf(levelDebug1, "debug1: X11 forwarding requested but DISPLAY not set")
		return nil, nil
	}
	f, err := x11fwd.New(ctx, x11fwd.Options{
		Display: display,
		Trusted: cfg.ForwardX11Trusted,
		Timeout: cfg.ForwardX11Timeout,
		XAuth:   cfg.XAuthLocation,
		Warn:    p.x11Warning,
		Logger:  p.console.logger(),
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		p.x11Failed(err)
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
		Refused:      func() { p.console.info("X11 forwarding request failed on channel %d", p.channel) },
	}
}

// x11Failed words why X11 is not forwarded; the session goes on without.
func (p *program) x11Failed(err error) {
	var display *x11fwd.DisplayError
	switch {
	case errors.As(err, &display) && display.Reason == "invalid character":
		p.console.info("DISPLAY \"%s\" invalid; disabling X11 forwarding", display.Display)
	case errors.As(err, &display) && display.Reason == "no colon":
		p.console.error("Could not find ':' in DISPLAY: %s", display.Display)
	case errors.As(err, &display) && display.Reason == "bad number":
		p.console.error("Could not parse display number from DISPLAY: %s", display.Display)
	case errors.Is(err, x11fwd.ErrNotGenerated):
		p.console.error("Warning: untrusted X11 forwarding setup failed: xauth key data not generated")
	default:
		p.console.error("X11 forwarding: %s", errnoText(err))
	}
}

// x11Warning words what package x11fwd warns of.
func (p *program) x11Warning(err error) {
	var connect *x11fwd.ConnectError
	switch {
	case errors.Is(err, x11fwd.ErrNoCookie):
		p.console.info("Warning: No xauth data; using fake authentication data for X11 forwarding.")
	case errors.Is(err, x11fwd.ErrExpired):
		p.console.printf(sshconfig.LogVerbose, "Rejected X11 connection after ForwardX11Timeout expired")
	case errors.Is(err, x11fwd.ErrWrongAuth):
		p.console.info("X11 connection rejected because of wrong authentication.")
	case errors.As(err, &connect) && connect.Network == "unix":
		p.console.error("connect %s: %s", connect.Address, errnoText(connect.Err))
	case errors.As(err, &connect):
		p.console.error("connect %s: %s", addressText(connect.Address), errnoText(connect.Err))
	default:
		p.console.error("X11 forwarding: %v", err)
	}
}

// addressText is host:port as ssh's messages have it.
func addressText(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host + " port " + port
}
