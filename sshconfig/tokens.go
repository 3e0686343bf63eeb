package sshconfig

import (
	"fmt"
	"maps"
	"os"
)

// ConnectionTokens returns the tokens that most keywords take, for this
// connection: %C %d %h %i %j %k %L %l %n %p %r %u.
// A Config that neither Load nor Default has made has none.
func (c *Config) ConnectionTokens() Tokens {
	if c.res == nil {
		return Tokens{}
	}
	if c.inCode() {
		return c.tokensInCode()
	}
	return maps.Clone(c.res.tokens)
}

// KnownHostsTokens are the tokens of KnownHostsCommand besides those of the
// connection.
type KnownHostsTokens struct {
	Hostname    string // %H: the host name or address that is looked for
	Invocation  string // %I: ADDRESS, HOSTNAME or ORDER
	KeyType     string // %t: the type of the server's key; "" means NONE
	Fingerprint string // %f; "" means NONE
	Key         string // %K: the key in base64; "" means NONE
}

// ExpandKnownHostsCommand splits KnownHostsCommand into arguments and expands
// tokens and ${ENV} in all but the first. No shell is involved. The error is a
// *[TokenError].
func (c *Config) ExpandKnownHostsCommand(t KnownHostsTokens) ([]string, error) {
	args, ok := splitArgs(c.KnownHostsCommand, false)
	if !ok {
		return nil, &TokenError{c.KnownHostsCommand,
			fmt.Sprintf("KnownHostsCommand-%s \"%s\" contains invalid quotes", t.Invocation, c.KnownHostsCommand)}
	}
	if len(args) == 0 {
		return nil, &TokenError{c.KnownHostsCommand,
			fmt.Sprintf("KnownHostsCommand-%s \"%s\" yielded no arguments", t.Invocation, c.KnownHostsCommand)}
	}
	env := os.LookupEnv
	if c.res != nil {
		env = c.res.env
	}
	tokens := c.ConnectionTokens()
	tokens['H'], tokens['I'] = t.Hostname, t.Invocation
	tokens['t'], tokens['f'], tokens['K'] = orNONE(t.KeyType), orNONE(t.Fingerprint), orNONE(t.Key)
	for i := 1; i < len(args); i++ {
		out, err := expand(args[i], tokens, env)
		if err != nil {
			return nil, asTokenError(args[i], err)
		}
		args[i] = out
	}
	return args, nil
}

// ExpandLocalCommand expands the tokens of LocalCommand, which is for the
// user's shell. tunnel is the network interface of a tunnel, %T; "" means
// NONE. The error is a *[TokenError].
func (c *Config) ExpandLocalCommand(tunnel string) (string, error) {
	tokens := c.ConnectionTokens()
	tokens['T'] = orNONE(tunnel)
	return Expand(c.LocalCommand, tokens)
}

func orNONE(s string) string {
	if s == "" {
		return "NONE"
	}
	return s
}

func asTokenError(text string, err error) error {
	if e, ok := err.(*TokenError); ok {
		return e
	}
	return &TokenError{Text: text, Reason: err.Error()}
}
