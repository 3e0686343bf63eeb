package prompt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
	"golang.org/x/crypto/ssh"
)

// Prompter asks the questions of package client in ssh's words, on the terminal
// or by askpass.
type Prompter struct {
	print *message.Printer
	turns *Turns
	ask   asker
}

// asker is implemented by terminal.Prompter.
type asker interface {
	Ask(ctx context.Context, prompt string, flags terminal.Flags) (string, error)
	Confirm(ctx context.Context, prompt string) (bool, error)
	Notify(ctx context.Context, text string, batch bool) *terminal.Notice
}

var _ client.KeyPrompter = (*Prompter)(nil)

// New returns a Prompter. Deadly signals wait until a question has restored the
// terminal.
func New(print *message.Printer, turns *Turns, signals *process.Signals) *Prompter {
	asker := NewAsker(print)
	asker.Deliver = signals.Deliver
	return &Prompter{print, turns, signalAsker{asker, signals}}
}

// NewAsker returns the terminal.Prompter of a question without further rules.
func NewAsker(print *message.Printer) *terminal.Prompter {
	return &terminal.Prompter{Logger: print.Logger(), ExecFailed: print.ExecFailed}
}

// signalAsker delays deadly signals until the terminal is restored.
type signalAsker struct {
	asker
	signals *process.Signals
}

func (s signalAsker) Ask(ctx context.Context, prompt string, flags terminal.Flags) (string, error) {
	defer s.signals.Asking()()
	return s.asker.Ask(ctx, prompt, flags)
}

// Password asks for a password in ssh's words.
func (a *Prompter) Password(ctx context.Context, q client.PasswordQuestion) (string, error) {
	if q.Attempt > 1 {
		a.print.Errorf("Permission denied, please try again.")
	}
	return a.ask.Ask(ctx, message.Banner(fmt.Sprintf("%s@%s's password: ", q.User, q.Host)), 0)
}

// Challenge shows the server's text and asks its questions. The user and host
// name in front keep a server from asking in the name of another.
func (a *Prompter) Challenge(ctx context.Context, q client.ChallengeQuestion) ([]string, error) {
	for _, text := range []string{q.Name, q.Instruction} {
		if text != "" && a.print.Level() >= sshconfig.LogInfo {
			a.print.Raw(message.Banner(text) + "\r\n")
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

// Passphrase asks for the passphrase of a key file.
func (a *Prompter) Passphrase(ctx context.Context, q client.PassphraseQuestion) (string, error) {
	return a.ask.Ask(ctx, message.Banner(fmt.Sprintf("Enter passphrase for key '%s': ", q.File)), 0)
}

// AddKey asks whether to add a key to the agent (AddKeysToAgent ask). Like ssh it
// prefers askpass.
func (a *Prompter) AddKey(ctx context.Context, q client.AddKeyQuestion) (bool, error) {
	return a.ask.Confirm(ctx, message.Banner(fmt.Sprintf("Add key %s (%s) to agent?", q.File, q.Fingerprint)))
}

// HostKey asks the questions of package hostkey. UpdateQuestion may come during a
// session.
func (a *Prompter) HostKey(ctx context.Context, q hostkey.Question) (yes bool, err error) {
	err = a.turns.Ask(ctx, func(ctx context.Context) error {
		yes, err = a.hostKey(ctx, q)
		return err
	})
	return yes, err
}

// hostKey asks one question about a host key.
func (a *Prompter) hostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	switch q := q.(type) {
	case hostkey.NewHostQuestion:
		return a.confirm(ctx, a.print.HostQuestion(q), a.print.Fingerprint(q.Key, q.Fingerprint))
	case hostkey.AddressQuestion:
		a.print.AddressDiffers(q.AddressDiffers)
		return a.confirm(ctx, "Are you sure you want to continue connecting (yes/no)? ", "")
	case hostkey.UpdateQuestion:
		a.print.UpdateQuestion(q)
		return a.confirmUpdate(ctx)
	}
	return false, fmt.Errorf("unknown question %T", q)
}

// confirm asks until the answer is yes, no, or the fingerprint.
func (a *Prompter) confirm(ctx context.Context, prompt, fingerprint string) (bool, error) {
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

// maxUpdateQuestions is how often ssh asks before it takes other words for a no.
const maxUpdateQuestions = 3

// confirmUpdate asks whether to accept the changes of UpdateHostKeys.
func (a *Prompter) confirmUpdate(ctx context.Context) (bool, error) {
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
		a.print.Infof("Please enter \"yes\" or \"no\"")
	}
	return false, nil
}

// noAnswer returns nil, which makes the answer no, if there is no terminal, no
// input, or the user has dismissed askpass. It returns other errors.
func noAnswer(err error) error {
	if errors.Is(err, terminal.ErrNoTTY) || errors.Is(err, terminal.ErrRefused) || message.IsEOF(err) {
		return nil
	}
	return err
}

// PIN asks for the PIN of a FIDO key or of PKCS#11 tokens.
func (a *Prompter) PIN(ctx context.Context, q client.PINQuestion) ([]byte, error) {
	answer, err := a.ask.Ask(ctx, pinPrompt(q), 0)
	return []byte(answer), err
}

// pinPrompt returns the question for a PIN.
func pinPrompt(q client.PINQuestion) string {
	switch {
	case q.File != "":
		return message.OneLine(fmt.Sprintf("Enter PIN for %s key %s: ", q.KeyType, q.File))
	case len(q.Tokens) == 0:
		return message.OneLine(fmt.Sprintf("Enter PIN for '%s': ", q.Provider))
	}
	return message.OneLine(fmt.Sprintf("Enter PIN for '%s': ", strings.Join(q.Tokens, "', '")))
}

// Touch shows that a security key waits to be touched. The caller calls the
// returned function when the wait is over.
func (a *Prompter) Touch(ctx context.Context, n client.TouchNotice) func(confirmed bool) {
	kind, print := hostkey.KeyType(n.Key), a.print.Fingerprint(n.Key, ssh.FingerprintSHA256(n.Key))
	notice := a.ask.Notify(ctx, fmt.Sprintf("Confirm user presence for key %s %s", kind, print), n.Batch)
	return func(confirmed bool) {
		notice.Close()
		if confirmed && notice.OnTerminal() {
			a.print.Raw("User presence confirmed\r\n")
		}
	}
}
