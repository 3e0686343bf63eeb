package message

import (
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/x11fwd"
	"golang.org/x/crypto/ssh"
)

// AgentWarning prints a warning of package agentfwd.
func (p *Printer) AgentWarning(err error) {
	switch {
	case errors.Is(err, agentfwd.ErrNotRequested):
		p.UnrequestedChannel("agent")
	case errors.Is(err, agentfwd.ErrNoAgent), errors.Is(err, fs.ErrNotExist):
		p.Debugf("agent forwarding: %s", ErrorText(err))
	default:
		p.agentFailed("Agent forwarding: ", err)
	}
}

// agentFailed prints why the agent cannot be used. An agent that hangs up, as
// that of another user does, is reported at -v only: to ssh it does not exist.
// A timeout is an error because it has cost time; ssh would keep waiting.
func (p *Printer) agentFailed(what string, err error) {
	if errors.As(err, new(*agentfwd.UnavailableError)) && !errors.Is(err, agentfwd.ErrTimeout) {
		p.Debugf("%s%s", what, ErrorText(err))
		return
	}
	p.Errorf("%s%s", what, ErrorText(err))
}

// AgentUse prints, at -v, a use of the agent that was refused.
func (p *Printer) AgentUse(use agentfwd.Use) {
	if use.Outcome == agentfwd.OutcomeDone {
		return
	}
	what := use.Op
	if use.Op == "sign" {
		what = "sign with " + keyName(use.Key)
	}
	p.Printf(sshconfig.LogVerbose, "Agent forwarding: %s for %s: %v", what, use.Host, use.Outcome)
}

// AgentUseQuestion returns the question whether the remote host may sign. It
// names the host, the key and the purpose. It quotes what the remote host can
// choose, and puts the fingerprint of the target host on a separate line.
func AgentUseQuestion(use agentfwd.Use) string {
	d, what, host := use.Data, "sign something unknown", ""
	switch d.Purpose {
	case agentfwd.PurposeUserAuth:
		what = "log in as " + Field(d.User)
		host = "\nThe host to log in to is not named."
		if d.HostKey != nil {
			host = "\nThe host to log in to has the key " + ssh.FingerprintSHA256(d.HostKey)
		}
	case agentfwd.PurposeSSHSig:
		what = "sign for " + Field(d.Namespace)
	}
	key := use.Key.Fingerprint()
	if use.Key.Comment != "" {
		key = Field(use.Key.Comment) + " (" + key + ")"
	}
	return fmt.Sprintf("Allow %s to use key %s to %s?%s", OneLine(use.Host), key, what, host)
}

// keyName returns the comment and the fingerprint of a key.
func keyName(id agentfwd.Identity) string {
	if id.Comment == "" {
		return id.Fingerprint()
	}
	return fmt.Sprintf("%s (%s)", id.Comment, id.Fingerprint())
}

// NoMoreAgentUses prints that further uses of the agent are refused unasked.
func (p *Printer) NoMoreAgentUses() {
	p.Infof("Agent forwarding: every further use of the agent through this connection is refused.")
}

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
