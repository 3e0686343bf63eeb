package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

// person gives its answers, strings and errors, in turn.
type person struct {
	answers []any
	asked   []string // the prompts, followed by + if the input is echoed
}

func (p *person) Ask(_ context.Context, prompt string, flags terminal.Flags) (string, error) {
	if flags&terminal.Echo != 0 {
		prompt += "+"
	}
	p.asked = append(p.asked, prompt)
	if len(p.answers) == 0 {
		return "", errors.New("asked too often")
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	if err, ok := answer.(error); ok {
		return "", err
	}
	return answer.(string), nil
}

func (p *person) Confirm(ctx context.Context, prompt string) (bool, error) {
	answer, err := p.Ask(ctx, prompt, 0)
	return answer == "yes", err
}

func (p *person) Notify(_ context.Context, text string, _ bool) *terminal.Notice {
	p.asked = append(p.asked, text)
	return new(terminal.Notice)
}

func newTestPrompter(answers ...any) (*Prompter, *person, func() string) {
	print, printed := newPrinter(sshconfig.LogInfo)
	who := &person{answers: answers}
	return &Prompter{print, NewTurns(), who}, who, func() string { return strings.ReplaceAll(printed.String(), "\r\n", "|") }
}

func TestHostKeyQuestions(t *testing.T) {
	const fingerprint = "SHA256:abc"
	lost := errors.New("lost")
	for _, test := range []struct {
		name    string
		answers []any
		want    bool
		err     error
		left    int // answers not asked for
	}{
		{"yes", []any{"yes"}, true, nil, 0},
		{"YES", []any{"YES"}, true, nil, 0},
		{"blanks around", []any{" \tyes  "}, true, nil, 0},
		{"first word", []any{"yes please"}, true, nil, 0},
		{"no", []any{"no", "yes"}, false, nil, 1},
		{"nothing", []any{"", "yes"}, false, nil, 1},
		{"blanks", []any{"  ", "yes"}, false, nil, 1},
		{"fingerprint", []any{fingerprint}, true, nil, 0},
		{"other case of it", []any{strings.ToLower(fingerprint), "no"}, false, nil, 0},
		{"part of it", []any{"SHA256:ab", "abc", "y", "yes"}, true, nil, 0},
		{"nonsense for long", append(slices.Repeat([]any{"what?"}, 50), "yes"), true, nil, 0},
		{"end of input", []any{io.EOF}, false, nil, 0},
		{"no terminal", []any{fmt.Errorf("x: %w", terminal.ErrNoTTY)}, false, nil, 0},
		{"dismissed", []any{terminal.ErrRefused}, false, nil, 0},
		{"failure", []any{lost}, false, lost, 0},
		{"failure after nonsense", []any{"x", context.Canceled}, false, context.Canceled, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, who, _ := newTestPrompter(test.answers...)
			yes, err := a.HostKey(t.Context(), hostkey.NewHostQuestion{Host: "web\x1b[2J", Address: "192.0.2.1", KeyType: "ED25519", Fingerprint: fingerprint})
			if yes != test.want || !errors.Is(err, test.err) || len(who.answers) != test.left {
				t.Errorf("%v, %v, %d answers left", yes, err, len(who.answers))
			}
			want := "The authenticity of host 'web\\033[2J (192.0.2.1)' can't be established.\n" +
				"ED25519 key fingerprint is SHA256:abc.\nThis key is not known by any other names.\n" +
				"Are you sure you want to continue connecting (yes/no/[fingerprint])? +"
			if who.asked[0] != want {
				t.Errorf("asked %q, want %q", who.asked[0], want)
			}
			for _, again := range who.asked[1:] {
				if again != "Please type 'yes', 'no' or the fingerprint: +" {
					t.Errorf("asked again %q", again)
				}
			}
		})
	}
}

func TestAddressQuestion(t *testing.T) {
	a, who, printed := newTestPrompter("SHA256:abc", "yes")
	yes, err := a.HostKey(t.Context(), hostkey.AddressQuestion{AddressDiffers: hostkey.AddressDiffers{
		Host: "web", Address: "192.0.2.1", KeyType: "RSA", Offending: hostkey.Location{File: "/k", Line: 2}}})
	if !yes || err != nil {
		t.Error(yes, err)
	}
	want := []string{"Are you sure you want to continue connecting (yes/no)? +", "Please type 'yes' or 'no': +"}
	if !slices.Equal(who.asked, want) {
		t.Errorf("asked %q", who.asked)
	}
	if text := printed(); text != "Warning: the RSA host key for 'web' differs from the key for the IP address '192.0.2.1'\nOffending key for IP in /k:2|" {
		t.Errorf("printed %q", text)
	}
}

func TestUpdateQuestion(t *testing.T) {
	for _, test := range []struct {
		answers []any
		want    bool
		again   int
	}{
		{[]any{"yes"}, true, 0},
		{[]any{"no"}, false, 0},
		{[]any{"maybe", "Yes"}, true, 1},
		{[]any{"a", "", "c"}, false, 3},
		{[]any{io.EOF}, false, 0},
	} {
		a, who, printed := newTestPrompter(test.answers...)
		yes, err := a.HostKey(t.Context(), hostkey.UpdateQuestion{})
		if yes != test.want || err != nil || len(who.answers) != 0 || strings.Count(printed(), "Please enter \"yes\" or \"no\"|") != test.again {
			t.Errorf("%v: %v, %v, %q", test.answers, yes, err, printed())
		}
	}
}

func TestSecretQuestions(t *testing.T) {
	ctx := t.Context()
	a, who, printed := newTestPrompter("one", "two", "three", "yes")
	if s, err := a.Password(ctx, client.PasswordQuestion{User: "me", Host: "web\a", Attempt: 1}); s != "one" || err != nil {
		t.Error(s, err)
	}
	if printed() != "" {
		t.Errorf("printed %q at the first attempt", printed())
	}
	a.Password(ctx, client.PasswordQuestion{User: "me", Host: "web", Attempt: 2})
	if printed() != "Permission denied, please try again.|" {
		t.Errorf("printed %q", printed())
	}
	a.Passphrase(ctx, client.PassphraseQuestion{File: "/k\x1b"})
	if yes, err := a.AddKey(ctx, client.AddKeyQuestion{File: "/k", Fingerprint: "SHA256:abc"}); !yes || err != nil {
		t.Error(yes, err)
	}
	want := []string{`me@web\007's password: `, "me@web's password: ", `Enter passphrase for key '/k\033': `, "Add key /k (SHA256:abc) to agent?"}
	if !slices.Equal(who.asked, want) {
		t.Errorf("asked %q", who.asked)
	}
}

// TestChallenge checks that the server's texts are shown with its name.
func TestChallenge(t *testing.T) {
	a, who, _ := newTestPrompter("123", "me", io.EOF)
	q := client.ChallengeQuestion{User: "me", Host: "web", Name: "Name\x1b[2J", Instruction: "Fülle aus",
		Prompts: []client.ChallengePrompt{{Text: "Código: \x1b[8m"}, {Text: "Who: ", Echo: true}}}
	answers, err := a.Challenge(t.Context(), q)
	if err != nil || !slices.Equal(answers, []string{"123", "me"}) {
		t.Errorf("%q, %v", answers, err)
	}
	if want := []string{`(me@web) Código: \033[8m`, "(me@web) Who: +"}; !slices.Equal(who.asked, want) {
		t.Errorf("asked %q", who.asked)
	}
	a, who, _ = newTestPrompter("x", "y", io.EOF)
	forged := client.ChallengeQuestion{User: "me", Host: "web", Prompts: []client.ChallengePrompt{
		{Text: "\r(me@other) Password: "}, {Text: "Choose:\r\n 1. push\r\n> "}}}
	a.Challenge(t.Context(), forged)
	if want := []string{`(me@web) \015(me@other) Password: `, "(me@web) Choose:\r\n 1. push\r\n> "}; !slices.Equal(who.asked, want) {
		t.Errorf("asked %q", who.asked)
	}
	a, _, printed := newTestPrompter("123", "me", io.EOF)
	a.Challenge(t.Context(), q)
	if printed() != `Name\033[2J|Fülle aus|` {
		t.Errorf("printed %q", printed())
	}
	if _, err := a.Challenge(t.Context(), q); err != io.EOF {
		t.Errorf("got %v", err)
	}
	if answers, err := a.Challenge(t.Context(), client.ChallengeQuestion{}); err != nil || len(answers) != 0 {
		t.Errorf("%q, %v", answers, err)
	}
}

// TestTokenQuestions checks the questions about keys on tokens.
func TestTokenQuestions(t *testing.T) {
	for _, c := range []struct {
		q    client.PINQuestion
		want string
	}{
		{client.PINQuestion{KeyType: "ED25519-SK", File: "/k"}, "Enter PIN for ED25519-SK key /k: "},
		{client.PINQuestion{Tokens: []string{"card"}, Provider: "/p"}, "Enter PIN for 'card': "},
		{client.PINQuestion{Tokens: []string{"a", "b"}, Provider: "/p"}, "Enter PIN for 'a', 'b': "},
		{client.PINQuestion{Provider: "/p"}, "Enter PIN for '/p': "},
		{client.PINQuestion{Tokens: []string{"\x1b[2Ja\r\nb"}}, `Enter PIN for '\033[2Ja\015\012b': `},
	} {
		a, who, _ := newTestPrompter("1234")
		pin, err := a.PIN(t.Context(), c.q)
		if err != nil || string(pin) != "1234" || who.asked[0] != c.want {
			t.Errorf("%q: asked %q, got %q, %v", c.want, who.asked, pin, err)
		}
	}
	signer, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	a, who, _ := newTestPrompter()
	over := a.Touch(t.Context(), client.TouchNotice{Key: signer.PublicKey()})
	over(true)
	if want := "Confirm user presence for key ED25519 " + hostkey.Fingerprint(signer.PublicKey()); who.asked[0] != want {
		t.Errorf("showed %q, want %q", who.asked, want)
	}
}

// newPrinter returns a Printer that prints to a buffer.
func newPrinter(level sshconfig.LogLevel) (*message.Printer, *bytes.Buffer) {
	printed := new(bytes.Buffer)
	print := &message.Printer{Console: message.NewConsole(printed), Program: "ssh", Config: new(sshconfig.Config)}
	print.SetLevel(level)
	return print, printed
}
