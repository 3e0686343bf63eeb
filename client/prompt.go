package client

import (
	"context"

	"golang.org/x/crypto/ssh"

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
