package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// agentPolicy is what ForwardAgentKeys, ForwardAgentConfirm and ForwardAgentLog
// say; nil if none of them is set, and then everything passes as with ssh. What
// cannot be obeyed is the end: a limit that is not there would not be noticed.
func (p *program) agentPolicy() (*agentfwd.Policy, func() error, error) {
	own := p.cfg.Own
	nothing := func() error { return nil }
	limited := len(own.ForwardAgentKeys) > 0 || own.ForwardAgentConfirm
	if !limited && own.ForwardAgentLog == "" {
		return nil, nothing, nil
	}
	// A log alone takes nothing away.
	policy := &agentfwd.Policy{AllowAdd: !limited, AllowRemove: !limited, AllowLock: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		keys, err := agentfwd.NewKeySet(homePaths(own.ForwardAgentKeys)...)
		if err != nil {
			return nil, nil, linef("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = p.confirmUse
	}
	log, err := openUsageLog(own.ForwardAgentLog)
	if err != nil {
		return nil, nil, err
	}
	policy.Log = func(use agentfwd.Use) {
		if log != nil {
			log.Log(use)
		}
		p.sayUse(use)
	}
	if log == nil {
		return policy, nothing, nil
	}
	return policy, log.Close, nil
}

func openUsageLog(path string) (*agentfwd.UsageLog, error) {
	if path == "" {
		return nil, nil
	}
	log, err := agentfwd.OpenUsageLog(path)
	if err != nil {
		return nil, linef("ForwardAgentLog: %s: %s", path, errnoText(err))
	}
	return log, nil
}

// homePaths puts the home directory in the place of ~/ in front of a file.
func homePaths(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if rest, ok := strings.CutPrefix(name, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				out[i] = filepath.Join(home, rest)
			}
		}
	}
	return out
}

// sayUse tells at -v what was refused to the remote host.
func (p *program) sayUse(use agentfwd.Use) {
	if use.Outcome == agentfwd.OutcomeDone {
		return
	}
	what := use.Op
	if use.Op == "sign" {
		what = "sign with " + keyName(use.Key)
	}
	p.console.printf(sshconfig.LogVerbose, "Agent forwarding: %s for %s: %v", what, use.Host, use.Outcome)
}

// confirmUse asks the person whether a remote host may have a signature: on the
// terminal, where the session makes way for it, or through askpass.
func (p *program) confirmUse(ctx context.Context, use agentfwd.Use) (yes bool, err error) {
	asker := terminal.Prompter{Logger: p.console.logger(), ExecFailed: p.console.execFailed}
	text := printable(useQuestion(use))
	err = p.questions.ask(ctx, func(ctx context.Context) error {
		if !onTerminal() {
			yes, err = asker.Confirm(ctx, text)
			return err
		}
		answer, err := asker.Ask(ctx, text+" (yes/no) ", terminal.Echo)
		yes = strings.EqualFold(strings.TrimSpace(answer), "yes")
		return err
	})
	return yes, err
}

// onTerminal says whether a question that does not need askpass goes to the
// terminal.
func onTerminal() bool {
	switch strings.ToLower(os.Getenv("SSH_ASKPASS_REQUIRE")) {
	case "force", "prefer":
		return false
	}
	tty, err := terminal.OpenTTY()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// useQuestion names the host, the key and what the signature is for.
func useQuestion(use agentfwd.Use) string {
	d, what := use.Data, "sign something unknown"
	switch d.Purpose {
	case agentfwd.PurposeUserAuth:
		what = fmt.Sprintf("log in as %s", d.User)
		if d.HostKey != nil {
			what += fmt.Sprintf(" to the host with key %s", ssh.FingerprintSHA256(d.HostKey))
		} else {
			what += " to a host that it does not name"
		}
	case agentfwd.PurposeSSHSig:
		what = fmt.Sprintf("sign for \"%s\"", d.Namespace)
	}
	return fmt.Sprintf("Allow %s to use key %s to %s?", use.Host, keyName(use.Key), what)
}

// keyName is a key as a person knows it.
func keyName(id agentfwd.Identity) string {
	if id.Comment == "" {
		return id.Fingerprint()
	}
	return fmt.Sprintf("%s (%s)", id.Comment, id.Fingerprint())
}
