package sshconfig

import (
	"context"
	"errors"
	"io"
)

type origin struct {
	file string
	line int
}
type value struct{ at origin }
type state struct{ values [numKeywords]value }
type resolved struct{ st state }
type loader struct{}

func newLoader(ctx context.Context, opts Options) *loader { return &loader{} }
func (l *loader) load(host string) (*Config, error)       { return nil, errors.New("not yet") }
func lowerASCII(s string) string                          { return s }

// Dump prints the configuration as `ssh -G` does, with the keywords of our own
// and those of OpenSSH 10 only where they were set.
func (c *Config) Dump(w io.Writer) error { return nil }

// Destination is the argument of ssh that names the server.
type Destination struct {
	User string // "" if not given
	Host string
	Port int // 0 if not given
}

// ParseDestination reads [user@]host or ssh://[user@]host[:port]. The error is
// [ErrUsage].
func ParseDestination(s string) (Destination, error) { return Destination{}, ErrUsage }

// KnownHostsTokens are the values that KnownHostsCommand may name besides
// those of the connection.
type KnownHostsTokens struct {
	Hostname    string // %H: the host name or address that is looked for
	Invocation  string // %I: ADDRESS, HOSTNAME or ORDER
	KeyType     string // %t: type of the server's key; "" means NONE
	Fingerprint string // %f; "" means NONE
	Key         string // %K: the key in base64; "" means NONE
}

// ExpandKnownHostsCommand splits KnownHostsCommand into arguments and expands
// ${ENV} and the tokens in all but the first. No shell is involved.
func (c *Config) ExpandKnownHostsCommand(t KnownHostsTokens) ([]string, error) { return nil, nil }

// ExpandLocalCommand expands the tokens of LocalCommand, which is for the
// user's shell. tunnel is the network interface of a tunnel, %T; "" means NONE.
func (c *Config) ExpandLocalCommand(tunnel string) (string, error) { return "", nil }

// Tokens is a set of tokens for Expand: the character after the percent sign.
type Tokens map[byte]string

// ConnectionTokens returns the tokens that most keywords take, for this
// connection: %C %d %h %i %j %k %L %l %n %p %r %u.
func (c *Config) ConnectionTokens() Tokens { return nil }

// Expand replaces %% and the tokens in text. Another token is an error.
func Expand(text string, tokens Tokens) (string, error) { return text, nil }

// Algorithms lists what this program can negotiate, for -Q.
type Algorithms struct {
	Ciphers, AuthenticatedCiphers, MACs, KexAlgorithms          []string
	Keys, CertificateKeys, PlainKeys, Signatures, KeySignatures []string
}

// SupportedAlgorithms returns every supported algorithm, in the order in which
// `ssh -Q` prints them.
func SupportedAlgorithms() Algorithms { return Algorithms{} }
