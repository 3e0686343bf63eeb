package client

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/hostkey"
)

// Prompter asks a person. Each method blocks until there is an answer, ctx is
// done, or nobody can be asked (an error). Dial's deadline stands still
// meanwhile. The methods are never called concurrently for one Dial.
type Prompter interface {
	// Password asks for the user's password. The error gives the method up.
	Password(ctx context.Context, q PasswordQuestion) (string, error)
	// Challenge puts a server's questions (RFC 4256) and returns an answer to
	// each. There may be none, and then Name and Instruction are only shown.
	Challenge(ctx context.Context, q ChallengeQuestion) ([]string, error)
	// Passphrase asks for that of a private key file. An empty one skips the
	// key.
	Passphrase(ctx context.Context, q PassphraseQuestion) (string, error)
	// AddKey asks whether a key may be added to the agent (AddKeysToAgent ask).
	AddKey(ctx context.Context, q AddKeyQuestion) (bool, error)
	// HostKey answers the questions of package hostkey.
	HostKey(ctx context.Context, q hostkey.Question) (bool, error)
}

// KeyPrompter is a Prompter for keys that live on a token. Without these
// methods a key that needs a PIN is passed over, and no touch is announced.
type KeyPrompter interface {
	Prompter
	// PIN asks for a token's PIN. The caller clears what it gets. An empty one
	// gives the token up.
	PIN(ctx context.Context, q PINQuestion) ([]byte, error)
	// Touch announces that a security key waits to be touched. It does not
	// block. The function that it returns is called once that is over.
	Touch(ctx context.Context, n TouchNotice) (over func(confirmed bool))
}

// PINQuestion asks for the PIN of a FIDO key, which has KeyType and File, or of
// the tokens of a PKCS#11 provider.
type PINQuestion struct {
	KeyType string // ED25519-SK or ECDSA-SK
	File    string

	Tokens   []string // labels, which are not to be trusted with control characters; empty if not known
	Provider string
}

// TouchNotice is of a FIDO key that waits to be touched.
type TouchNotice struct {
	Key   ssh.PublicKey
	Batch bool // BatchMode: the terminal is left alone
}

// PasswordQuestion asks for a password.
type PasswordQuestion struct {
	User, Host string // Host is as the user named it, or HostKeyAlias
	Attempt    int    // from 1; above 1 the one before was refused
}

// ChallengeQuestion is a keyboard-interactive request of the server, whose
// texts are not to be trusted with control characters.
type ChallengeQuestion struct {
	User, Host        string
	Name, Instruction string
	Prompts           []ChallengePrompt
	Attempt           int // from 1; above 1 the one before was refused
}

// ChallengePrompt is one question; Echo shows what is typed.
type ChallengePrompt struct {
	Text string
	Echo bool
}

// PassphraseQuestion asks for the passphrase of a file.
type PassphraseQuestion struct {
	File    string
	Attempt int // from 1; above 1 the one before was wrong
}

// AddKeyQuestion asks whether a key, just decrypted, goes to the agent.
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
