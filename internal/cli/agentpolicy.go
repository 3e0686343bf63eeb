package cli

import (
	"context"
	"errors"
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
	policy := &agentfwd.Policy{AllowAll: !limited}
	if len(own.ForwardAgentKeys) > 0 {
		keys, err := agentfwd.NewKeySet(homePaths(own.ForwardAgentKeys)...)
		if err != nil {
			return nil, nil, linef("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = (&useConfirmer{ask: p.askUse, give: p.questionsEnd}).confirm
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

// maxRefusals is how many refusals in a row end the questions of a connection.
const maxRefusals = 3

// useConfirmer is ForwardAgentConfirm for one connection. After maxRefusals in a
// row, or the answer never, it refuses without asking: a remote host could
// otherwise ask until somebody agrees by mistake. Package agentfwd calls confirm
// for one use at a time.
type useConfirmer struct {
	ask      func(ctx context.Context, use agentfwd.Use) (answer useAnswer, err error)
	give     func() // told once that there are no further questions
	refusals int
}

type useAnswer int

const (
	answerNo useAnswer = iota
	answerYes
	answerNever
)

// errRefusedBefore is why a use is refused without a question.
var errRefusedBefore = errors.New("refused before, not asked again")

func (c *useConfirmer) confirm(ctx context.Context, use agentfwd.Use) (bool, error) {
	if c.refusals >= maxRefusals {
		return false, errRefusedBefore
	}
	answer, err := c.ask(ctx, use)
	switch {
	case ctx.Err() != nil: // it went away unanswered
		return false, err
	case err == nil && answer == answerYes:
		c.refusals = 0
		return true, nil
	case err == nil && answer == answerNever:
		c.refusals = maxRefusals
	default:
		c.refusals++
	}
	if c.refusals == maxRefusals {
		c.give()
	}
	return false, err
}

// questionsEnd says that no use of the agent is asked about any more.
func (p *program) questionsEnd() {
	p.console.info("Agent forwarding: every further use of the agent through this connection is refused.")
}

// askUse asks the person whether a remote host may have a signature: on the
// terminal, where the session makes way for it, or through askpass.
func (p *program) askUse(ctx context.Context, use agentfwd.Use) (answer useAnswer, err error) {
	asker := terminal.Prompter{Logger: p.console.logger(), ExecFailed: p.console.execFailed}
	text := useQuestion(use)
	err = p.questions.ask(ctx, func(ctx context.Context) error {
		if asker.PrefersAskpass() || !haveTerminal() {
			yes, err := asker.Confirm(ctx, text)
			if yes {
				answer = answerYes
			}
			return err
		}
		typed, err := asker.Ask(ctx, clearTerminal()+text+"\nAnswer (yes/no/never): ", terminal.Echo)
		switch strings.ToLower(strings.TrimSpace(typed)) {
		case "yes":
			answer = answerYes
		case "never":
			answer = answerNever
		}
		return err
	})
	return answer, err
}

// haveTerminal reports whether there is a terminal to ask on.
func haveTerminal() bool {
	tty, err := terminal.OpenTTY()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// clearTerminal begins a question in the middle of a session, which has left
// the terminal in a state of the remote host's choice: on a line of its own, in
// the usual character set, without colours, and with nothing below.
func clearTerminal() string {
	switch os.Getenv("TERM") {
	case "", "dumb":
		return "\n"
	}
	const (
		shiftIn = "\x0f"    // character set G0,
		ascii   = "\x1b(B"  // which is ASCII
		noSGR   = "\x1b[0m" // no attributes
		erase   = "\x1b[J"  // to the end of the screen
	)
	return shiftIn + ascii + noSGR + "\n" + erase
}

// useQuestion names the host, the key and what the signature is for. What the
// remote host can choose is quoted, and the fingerprint of the host to log in to
// has a line of its own.
func useQuestion(use agentfwd.Use) string {
	d, what, host := use.Data, "sign something unknown", ""
	switch d.Purpose {
	case agentfwd.PurposeUserAuth:
		what = "log in as " + field(d.User)
		host = "\nThe host to log in to is not named."
		if d.HostKey != nil {
			host = "\nThe host to log in to has the key " + ssh.FingerprintSHA256(d.HostKey)
		}
	case agentfwd.PurposeSSHSig:
		what = "sign for " + field(d.Namespace)
	}
	key := use.Key.Fingerprint()
	if use.Key.Comment != "" {
		key = field(use.Key.Comment) + " (" + key + ")"
	}
	return fmt.Sprintf("Allow %s to use key %s to %s?%s", oneLine(use.Host), key, what, host)
}

// keyName is a key as a person knows it.
func keyName(id agentfwd.Identity) string {
	if id.Comment == "" {
		return id.Fingerprint()
	}
	return fmt.Sprintf("%s (%s)", id.Comment, id.Fingerprint())
}
