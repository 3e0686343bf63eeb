package backchannel

import (
	"context"
	"os"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/x11fwd"
)

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
