package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// prompter words the questions of package client; the terminal, or askpass,
// puts them.
type prompter struct {
	p   *program
	ask asker
}

// asker is a terminal.Prompter.
type asker interface {
	Ask(ctx context.Context, prompt string, flags terminal.Flags) (string, error)
	Confirm(ctx context.Context, prompt string) (bool, error)
	Notify(ctx context.Context, text string, batch bool) *terminal.Notice
}

var _ client.KeyPrompter = (*prompter)(nil)

func (p *program) newPrompter() *prompter {
	return &prompter{p: p, ask: watchedAsker{&terminal.Prompter{Logger: p.console.logger(), ExecFailed: p.console.execFailed, Deliver: p.deliver}, p}}
}

// Password asks for a password in ssh's words.
func (a *prompter) Password(ctx context.Context, q client.PasswordQuestion) (string, error) {
	if q.Attempt > 1 {
		a.p.console.error("Permission denied, please try again.")
	}
	return a.ask.Ask(ctx, bannerText(fmt.Sprintf("%s@%s's password: ", q.User, q.Host)), 0)
}

// Challenge shows what the server says, and puts its questions with the host's
// name in front, so that no server can ask in another's name.
func (a *prompter) Challenge(ctx context.Context, q client.ChallengeQuestion) ([]string, error) {
	for _, text := range []string{q.Name, q.Instruction} {
		if text != "" && a.p.console.getLevel() >= sshconfig.LogInfo {
			a.p.console.raw(bannerText(text) + "\r\n")
		}
	}
	answers := make([]string, len(q.Prompts))
	for i, prompt := range q.Prompts {
		flags := terminal.Flags(0)
		if prompt.Echo {
			flags |= terminal.Echo
		}
		text := bannerText(fmt.Sprintf("(%s@%s) %s", q.User, q.Host, prompt.Text))
		answer, err := a.ask.Ask(ctx, text, flags)
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	return answers, nil
}

// Passphrase asks for that of a key file.
func (a *prompter) Passphrase(ctx context.Context, q client.PassphraseQuestion) (string, error) {
	return a.ask.Ask(ctx, bannerText(fmt.Sprintf("Enter passphrase for key '%s': ", q.File)), 0)
}

// AddKey asks as ssh does for AddKeysToAgent ask, which is askpass's business.
func (a *prompter) AddKey(ctx context.Context, q client.AddKeyQuestion) (bool, error) {
	return a.ask.Confirm(ctx, bannerText(fmt.Sprintf("Add key %s (%s) to agent?", q.File, q.Fingerprint)))
}

// HostKey puts the questions of package hostkey, of which the last may come in
// the middle of a session.
func (a *prompter) HostKey(ctx context.Context, q hostkey.Question) (yes bool, err error) {
	err = a.p.questions.ask(ctx, func(ctx context.Context) error {
		yes, err = a.hostKey(ctx, q)
		return err
	})
	return yes, err
}

func (a *prompter) hostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	switch q := q.(type) {
	case hostkey.NewHostQuestion:
		return a.confirm(ctx, a.p.newHostText(q), a.p.fingerprint(q.Key, q.Fingerprint))
	case hostkey.AddressQuestion:
		a.p.addressDiffers(q.AddressDiffers)
		return a.confirm(ctx, "Are you sure you want to continue connecting (yes/no)? ", "")
	case hostkey.UpdateQuestion:
		a.p.console.info("The server has updated its host keys.")
		a.p.console.info("These changes were verified by the server's existing trusted key.")
		for _, key := range q.Learned {
			a.p.console.info("%s: %s %s", keyLearned, hostkey.KeyType(key), a.p.fingerprint(key, hostkey.Fingerprint(key)))
		}
		for _, key := range q.Removed {
			a.p.console.info("%s: %s %s", keyDeprecated, hostkey.KeyType(key), a.p.fingerprint(key, hostkey.Fingerprint(key)))
		}
		return a.confirmUpdate(ctx)
	}
	return false, fmt.Errorf("unknown question %T", q)
}

// confirm asks until the answer is yes, no, or the fingerprint.
func (a *prompter) confirm(ctx context.Context, prompt, fingerprint string) (bool, error) {
	again := "Please type 'yes' or 'no': "
	if fingerprint != "" {
		again = "Please type 'yes', 'no' or the fingerprint: "
	}
	for ; ; prompt = again {
		answer, err := a.ask.Ask(ctx, prompt, terminal.Echo)
		if err != nil {
			return false, noAnswer(err)
		}
		answer, _, _ = strings.Cut(strings.TrimLeft(answer, " \t"), " ") // the first word
		switch answer = strings.TrimRight(answer, "\t"); {
		case answer == "", strings.EqualFold(answer, "no"):
			return false, nil
		case strings.EqualFold(answer, "yes"):
			return true, nil
		case fingerprint != "" && answer == fingerprint:
			return true, nil
		}
	}
}

// maxUpdateQuestions is how often ssh asks before it takes nonsense for a no.
const maxUpdateQuestions = 3

func (a *prompter) confirmUpdate(ctx context.Context) (bool, error) {
	for range maxUpdateQuestions {
		answer, err := a.ask.Ask(ctx, "Accept updated hostkeys? (yes/no): ", terminal.Echo)
		if err != nil {
			return false, noAnswer(err)
		}
		switch {
		case strings.EqualFold(answer, "yes"):
			return true, nil
		case strings.EqualFold(answer, "no"):
			return false, nil
		}
		a.p.console.info("Please enter \"yes\" or \"no\"")
	}
	return false, nil
}

// noAnswer takes nobody to ask, and the end of input, for a no.
func noAnswer(err error) error {
	if errors.Is(err, terminal.ErrNoTTY) || errors.Is(err, terminal.ErrRefused) || isEOF(err) {
		return nil
	}
	return err
}

// execFailed words an askpass program that cannot be run.
func (c *console) execFailed(e *terminal.ExecError) {
	if e.Notice {
		c.error("notify_start: exec(%s): %s", e.Program, errnoText(e.Err))
		return
	}
	c.fatal("ssh_askpass: exec(%s): %s", e.Program, errnoText(e.Err))
}
