package message

import (
	"errors"
	"net"

	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/x11fwd"
)

// UnrequestedChannel prints the warning about a server that opens a channel that
// was not requested. what is "X11" or "agent".
func (p *Printer) UnrequestedChannel(what string) {
	p.Errorf("Warning: ssh server tried %s forwarding.", what)
	p.Errorf("Warning: this is probably a break-in attempt by a malicious server.")
}

// X11Failed prints why X11 is not forwarded. The session continues without.
func (p *Printer) X11Failed(err error) {
	var display *x11fwd.DisplayError
	switch {
	case errors.As(err, &display) && display.Reason == "invalid character":
		p.Infof("DISPLAY \"%s\" invalid; disabling X11 forwarding", display.Display)
	case errors.As(err, &display) && display.Reason == "no colon":
		p.Errorf("Could not find ':' in DISPLAY: %s", display.Display)
	case errors.As(err, &display) && display.Reason == "bad number":
		p.Errorf("Could not parse display number from DISPLAY: %s", display.Display)
	case errors.Is(err, x11fwd.ErrNotGenerated):
		p.Errorf("Warning: untrusted X11 forwarding setup failed: xauth key data not generated")
	default:
		p.Errorf("X11 forwarding: %s", Errno(err))
	}
}

// X11Warning prints a warning of package x11fwd.
func (p *Printer) X11Warning(err error) {
	var connect *x11fwd.ConnectError
	switch {
	case errors.Is(err, x11fwd.ErrNoCookie):
		p.Infof("Warning: No xauth data; using fake authentication data for X11 forwarding.")
	case errors.Is(err, x11fwd.ErrExpired):
		p.Printf(sshconfig.LogVerbose, "Rejected X11 connection after ForwardX11Timeout expired")
	case errors.Is(err, x11fwd.ErrWrongAuth):
		p.Infof("X11 connection rejected because of wrong authentication.")
	case errors.As(err, &connect) && connect.Network == "unix":
		p.Errorf("connect %s: %s", connect.Address, Errno(connect.Err))
	case errors.As(err, &connect):
		p.Errorf("connect %s: %s", addressText(connect.Address), Errno(connect.Err))
	default:
		p.Errorf("X11 forwarding: %v", err)
	}
}

// addressText turns host:port into ssh's "host port port".
func addressText(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host + " port " + port
}
