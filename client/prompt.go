package client

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/hostkey"
)

// Prompter answers questions, in most programs by asking a person. Each method
// blocks until there is an answer or ctx ends, or returns an error if it cannot
// ask. The time limits of Dial stop meanwhile. The methods are not called
// concurrently for one Dial.
type Prompter interface {
	// Password returns the user's password. An error ends the method "password";
	// see also AuthError.Errs.
	Password(ctx context.Context, q PasswordQuestion) (string, error)
	// Challenge returns an answer to each prompt of a keyboard-interactive
	// request (RFC 4256). If there are no prompts, Name and Instruction are only
	// shown.
	Challenge(ctx context.Context, q ChallengeQuestion) ([]string, error)
	// Passphrase returns the passphrase of a private key file. If it is empty,
	// the key is skipped.
	Passphrase(ctx context.Context, q PassphraseQuestion) (string, error)
	// AddKey reports whether a key may be added to the agent (AddKeysToAgent
	// ask).
	AddKey(ctx context.Context, q AddKeyQuestion) (bool, error)
	// HostKey reports whether the answer to a question of package hostkey is
	// yes.
	HostKey(ctx context.Context, q hostkey.Question) (bool, error)
}

// KeyPrompter is a Prompter for keys on tokens. Without these methods a key that
// requires a PIN is skipped, and a touch is not announced.
type KeyPrompter interface {
	Prompter
	// PIN returns the PIN of a token. The caller overwrites it. If it is empty,
	// the token is skipped.
	PIN(ctx context.Context, q PINQuestion) ([]byte, error)
	// Touch announces that a security key waits to be touched. It must not
	// block. The function that it returns is called when the key was touched or
	// signing has failed.
	Touch(ctx context.Context, n TouchNotice) (over func(confirmed bool))
}

// PINQuestion asks for the PIN of a FIDO key, in KeyType and File, or of the
// tokens of a PKCS#11 provider.
type PINQuestion struct {
	KeyType string // ED25519-SK or ECDSA-SK
	File    string

	Tokens   []string // labels, if known; they may hold control characters
	Provider string
}

// TouchNotice describes a FIDO key that waits to be touched.
type TouchNotice struct {
	Key   ssh.PublicKey
	Batch bool // BatchMode: nothing may be printed on the terminal
}

// PasswordQuestion asks for a password.
type PasswordQuestion struct {
	User, Host string // Host is HostKeyAlias or HostName
	Attempt    int    // counts from 1; above 1 the last answer was refused
}

// ChallengeQuestion is a keyboard-interactive request. Its texts come from the
// server and may hold control characters.
type ChallengeQuestion struct {
	User, Host        string
	Name, Instruction string
	Prompts           []ChallengePrompt
	Attempt           int // counts from 1; above 1 the last answer was refused
}

// ChallengePrompt is one prompt. Echo reports whether the answer may be shown.
type ChallengePrompt struct {
	Text string
	Echo bool
}

// PassphraseQuestion asks for the passphrase of a file.
type PassphraseQuestion struct {
	File    string
	Attempt int // counts from 1; above 1 the last answer was wrong
}

// AddKeyQuestion asks whether a key that was just decrypted may be added to the
// agent.
type AddKeyQuestion struct {
	File        string
	Fingerprint string
}

// ErrNoAnswer is the error of a password or challenge question for which
// PrompterFuncs has no function.
var ErrNoAnswer = errors.New("client: no function answers this question")

// PrompterFuncs is a Prompter of functions, each of which may be nil. Without its
// function a method of authentication, a key or a token is passed over, an
// unknown host key is refused, and a key is not added to the agent.
//
//	opts.Prompter = client.PrompterFuncs{OnChallenge: answerCode}
type PrompterFuncs struct {
	OnPassword        func(context.Context, PasswordQuestion) (string, error)
	OnChallenge       func(context.Context, ChallengeQuestion) ([]string, error)
	OnPassphrase      func(context.Context, PassphraseQuestion) (string, error)
	OnAddKey          func(context.Context, AddKeyQuestion) (bool, error)
	OnHostKey         func(context.Context, hostkey.Question) (bool, error)
	OnPIN             func(context.Context, PINQuestion) ([]byte, error)
	OnTouch           func(context.Context, TouchNotice) (over func(confirmed bool))
	OnConfirmAgentUse func(context.Context, agentfwd.Use) (bool, error)
}

var (
	_ KeyPrompter    = PrompterFuncs{}
	_ AgentConfirmer = PrompterFuncs{}
)

// answer calls f. It returns none if f is nil.
func answer[Q, A any](ctx context.Context, f func(context.Context, Q) (A, error), q Q, none error) (a A, err error) {
	if f == nil {
		return a, none
	}
	return f(ctx, q)
}

// Password calls OnPassword.
func (p PrompterFuncs) Password(ctx context.Context, q PasswordQuestion) (string, error) {
	return answer(ctx, p.OnPassword, q, ErrNoAnswer)
}

// Challenge calls OnChallenge.
func (p PrompterFuncs) Challenge(ctx context.Context, q ChallengeQuestion) ([]string, error) {
	return answer(ctx, p.OnChallenge, q, ErrNoAnswer)
}

// Passphrase calls OnPassphrase.
func (p PrompterFuncs) Passphrase(ctx context.Context, q PassphraseQuestion) (string, error) {
	return answer(ctx, p.OnPassphrase, q, nil)
}

// AddKey calls OnAddKey.
func (p PrompterFuncs) AddKey(ctx context.Context, q AddKeyQuestion) (bool, error) {
	return answer(ctx, p.OnAddKey, q, nil)
}

// HostKey calls OnHostKey.
func (p PrompterFuncs) HostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	return answer(ctx, p.OnHostKey, q, nil)
}

// PIN calls OnPIN.
func (p PrompterFuncs) PIN(ctx context.Context, q PINQuestion) ([]byte, error) {
	return answer(ctx, p.OnPIN, q, nil)
}

// Touch calls OnTouch.
func (p PrompterFuncs) Touch(ctx context.Context, n TouchNotice) (over func(confirmed bool)) {
	if p.OnTouch == nil {
		return func(bool) {}
	}
	return p.OnTouch(ctx, n)
}

// ConfirmAgentUse calls OnConfirmAgentUse.
func (p PrompterFuncs) ConfirmAgentUse(ctx context.Context, use agentfwd.Use) (bool, error) {
	return answer(ctx, p.OnConfirmAgentUse, use, ErrAgentConfirm)
}
