package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
	"golang.org/x/crypto/ssh"
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
	return &prompter{p: p, ask: watchedAsker{&terminal.Prompter{Logger: p.print.Logger(), ExecFailed: p.print.ExecFailed, Deliver: p.deliver}, p}}
}

// Password asks for a password in ssh's words.
func (a *prompter) Password(ctx context.Context, q client.PasswordQuestion) (string, error) {
	if q.Attempt > 1 {
		a.p.print.Errorf("Permission denied, please try again.")
	}
	return a.ask.Ask(ctx, message.Banner(fmt.Sprintf("%s@%s's password: ", q.User, q.Host)), 0)
}

// Challenge shows what the server says, and puts its questions with the host's
// name in front, so that no server can ask in another's name.
func (a *prompter) Challenge(ctx context.Context, q client.ChallengeQuestion) ([]string, error) {
	for _, text := range []string{q.Name, q.Instruction} {
		if text != "" && a.p.print.Level() >= sshconfig.LogInfo {
			a.p.print.Raw(message.Banner(text) + "\r\n")
		}
	}
	answers := make([]string, len(q.Prompts))
	for i, prompt := range q.Prompts {
		flags := terminal.Flags(0)
		if prompt.Echo {
			flags |= terminal.Echo
		}
		text := message.Banner(fmt.Sprintf("(%s@%s) %s", q.User, q.Host, prompt.Text))
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
	return a.ask.Ask(ctx, message.Banner(fmt.Sprintf("Enter passphrase for key '%s': ", q.File)), 0)
}

// AddKey asks as ssh does for AddKeysToAgent ask, which is askpass's business.
func (a *prompter) AddKey(ctx context.Context, q client.AddKeyQuestion) (bool, error) {
	return a.ask.Confirm(ctx, message.Banner(fmt.Sprintf("Add key %s (%s) to agent?", q.File, q.Fingerprint)))
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
		return a.confirm(ctx, a.p.print.HostQuestion(q), a.p.print.Fingerprint(q.Key, q.Fingerprint))
	case hostkey.AddressQuestion:
		a.p.print.AddressDiffers(q.AddressDiffers)
		return a.confirm(ctx, "Are you sure you want to continue connecting (yes/no)? ", "")
	case hostkey.UpdateQuestion:
		a.p.print.UpdateQuestion(q)
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
		a.p.print.Infof("Please enter \"yes\" or \"no\"")
	}
	return false, nil
}

// noAnswer takes nobody to ask, and the end of input, for a no.
func noAnswer(err error) error {
	if errors.Is(err, terminal.ErrNoTTY) || errors.Is(err, terminal.ErrRefused) || message.IsEOF(err) {
		return nil
	}
	return err
}

// PIN asks for the PIN of a FIDO key or of PKCS#11 tokens.
func (a *prompter) PIN(ctx context.Context, q client.PINQuestion) ([]byte, error) {
	answer, err := a.ask.Ask(ctx, pinPrompt(q), 0)
	return []byte(answer), err
}

func pinPrompt(q client.PINQuestion) string {
	switch {
	case q.File != "":
		return message.OneLine(fmt.Sprintf("Enter PIN for %s key %s: ", q.KeyType, q.File))
	case len(q.Tokens) == 0:
		return message.OneLine(fmt.Sprintf("Enter PIN for '%s': ", q.Provider))
	}
	return message.OneLine(fmt.Sprintf("Enter PIN for '%s': ", strings.Join(q.Tokens, "', '")))
}

// Touch shows that a security key waits, where ssh shows it.
func (a *prompter) Touch(ctx context.Context, n client.TouchNotice) func(confirmed bool) {
	kind, print := hostkey.KeyType(n.Key), a.p.print.Fingerprint(n.Key, ssh.FingerprintSHA256(n.Key))
	notice := a.ask.Notify(ctx, fmt.Sprintf("Confirm user presence for key %s %s", kind, print), n.Batch)
	return func(confirmed bool) {
		notice.Close()
		if confirmed && notice.OnTerminal() {
			a.p.print.Raw("User presence confirmed\r\n")
		}
	}
}
