package message

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/sshconfig"
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
