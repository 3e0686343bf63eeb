package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
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
			return nil, nil, message.Errorf("ForwardAgentKeys: %s", strings.TrimPrefix(err.Error(), "agentfwd: "))
		}
		policy.Keys = keys
	}
	if own.ForwardAgentConfirm {
		policy.Confirm = (&useConfirmer{ask: p.askUse, give: p.print.NoMoreAgentUses}).confirm
	}
	log, err := openUsageLog(own.ForwardAgentLog)
	if err != nil {
		return nil, nil, err
	}
	policy.Log = func(use agentfwd.Use) {
		if log != nil {
			log.Log(use)
		}
		p.print.AgentUse(use)
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
		return nil, message.Errorf("ForwardAgentLog: %s: %s", path, message.Errno(err))
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

// askUse asks the person whether a remote host may have a signature: on the
// terminal, where the session makes way for it, or through askpass.
func (p *program) askUse(ctx context.Context, use agentfwd.Use) (answer useAnswer, err error) {
	asker := terminal.Prompter{Logger: p.print.Logger(), ExecFailed: p.print.ExecFailed}
	text := message.AgentUseQuestion(use)
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
