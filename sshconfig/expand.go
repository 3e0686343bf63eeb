package sshconfig

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Tokens is a set of tokens for [Expand]: the character after the percent sign,
// and what it stands for.
type Tokens map[byte]string

// TokenError is a text whose tokens or variables do not expand.
type TokenError struct {
	Text   string
	Reason string // what OpenSSH says of it
}

func (e *TokenError) Error() string { return e.Reason }

// Expand replaces %% and the tokens in text. The error is a *TokenError.
func Expand(text string, tokens Tokens) (string, error) {
	return expand(text, tokens, nil)
}

// expand replaces tokens, and ${NAME} if env is not nil. A variable that is
// not set is left out and reported with the error errMissingVar, after the
// rest has been checked.
func expand(text string, tokens Tokens, env func(string) (string, bool)) (string, error) {
	if !strings.ContainsAny(text, "%$") {
		return text, nil
	}
	fail := func(format string, a ...any) (string, error) {
		return "", &TokenError{Text: text, Reason: "vdollar_percent_expand: " + fmt.Sprintf(format, a...)}
	}
	var out strings.Builder
	var missing []string
	for i := 0; i < len(text); i++ {
		c := text[i]
		if env != nil && c == '$' && strings.HasPrefix(text[i+1:], "{") {
			name, _, ok := strings.Cut(text[i+2:], "}")
			if !ok {
				return fail("environment variable '%s' missing closing '}'", text[i+2:])
			}
			if name == "" {
				return fail("zero-length environment variable")
			}
			if val, ok := env(name); ok {
				out.WriteString(val)
			} else {
				missing = append(missing, name)
			}
			i += len("${}") + len(name) - 1
			continue
		}
		if c != '%' || tokens == nil {
			out.WriteByte(c)
			continue
		}
		if i++; i == len(text) {
			return fail("invalid format")
		}
		if val, ok := tokens[text[i]]; ok {
			out.WriteString(val)
		} else if text[i] == '%' {
			out.WriteByte('%')
		} else {
			return fail("unknown key %%%s", text[i:i+1])
		}
	}
	if missing != nil {
		return "", &missingVarError{missing}
	}
	return out.String(), nil
}

// missingVarError lists variables that are not set.
type missingVarError struct{ names []string }

func (e *missingVarError) Error() string {
	return fmt.Sprintf("vdollar_percent_expand: env var ${%s} has no value", e.names[0])
}

// expandEnv expands ${NAME} and reports what is wrong as OpenSSH does. missing
// says that a variable is not set.
func (l *loader) expandEnv(text string) (expanded string, missing bool, err error) {
	expanded, err = expand(text, nil, l.env)
	return expanded, l.reportExpansion(err), notMissing(err)
}

// reportExpansion says what is wrong with an expansion.
func (l *loader) reportExpansion(err error) (missing bool) {
	var vars *missingVarError
	switch {
	case errors.As(err, &vars):
		for _, name := range vars.names {
			l.bad("", 0, "vdollar_percent_expand: env var ${%s} has no value", name)
		}
		return true
	case err != nil:
		l.bad("", 0, "%s", err)
	}
	return false
}

func notMissing(err error) error {
	var vars *missingVarError
	if errors.As(err, &vars) {
		return nil
	}
	return err
}

// mustExpand expands tokens, and variables with withEnv; what does not expand
// ends the resolution.
func (l *loader) mustExpand(text string, tokens Tokens, withEnv bool) (string, error) {
	env, name := l.env, "percent_dollar_expand"
	if !withEnv {
		env, name = nil, "percent_expand"
	}
	out, err := expand(text, tokens, env)
	if err == nil {
		return out, nil
	}
	if l.reportExpansion(err) {
		return "", l.fatal("", 0, "invalid environment variable expansion")
	}
	return "", l.fatal("", 0, "%s: failed", name)
}

// expandTilde expands ~ and ~user at the start of a path, and reports a user
// that does not exist.
func (l *loader) expandTilde(path string) (string, error) {
	expanded, err := l.joinHome(path)
	if err != nil {
		name, _, _ := strings.Cut(path[1:], "/")
		return "", l.bad("", 0, "tilde_expand: No such user %s", name)
	}
	return expanded, nil
}

// joinHome expands ~ and ~user at the start of a path.
func (l *loader) joinHome(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	home := l.opts.Home
	if name != "" {
		var err error
		if home, err = l.homeOf(name); err != nil {
			return "", err
		}
	}
	if !strings.HasSuffix(home, "/") {
		home += "/"
	}
	return home + strings.TrimLeft(rest, "/"), nil
}

func (l *loader) homeOf(name string) (string, error) {
	if l.opts.LookupHome != nil {
		return l.opts.LookupHome(name)
	}
	u, err := l.nss.LookupUser(l.ctx, name)
	if err != nil {
		return "", err
	}
	return filepath.ToSlash(u.HomeDir), nil
}

// expandPath expands ~, tokens and variables: the way of most file names.
func (l *loader) expandPath(path string, tokens Tokens) (string, error) {
	path, err := l.expandTilde(path)
	if err != nil {
		return "", errFatal // it has been said why
	}
	return l.mustExpand(path, tokens, true)
}

// connection is what the common tokens are made of.
type connection struct {
	host, original, alias, user, jump string
	port                              int
}

// machine is what the common tokens say about the local side.
type machine struct{ hostname, home, uid, user string }

// tokens returns the tokens that most keywords take. %C is a hash of %l%h%p%r%j.
func (c connection) tokens(m machine) Tokens {
	this, _, _ := strings.Cut(m.hostname, ".")
	port := strconv.Itoa(c.port)
	hash := sha1.Sum([]byte(m.hostname + c.host + port + c.user + c.jump))
	return Tokens{
		'C': hex.EncodeToString(hash[:]),
		'L': this,
		'd': m.home,
		'h': c.host,
		'i': m.uid,
		'j': c.jump,
		'k': c.alias,
		'l': m.hostname,
		'n': c.original,
		'p': port,
		'r': c.user,
		'u': m.user,
	}
}

func (l *loader) tokens(c connection) Tokens {
	return c.tokens(machine{hostname: l.opts.Hostname, home: l.opts.Home, uid: l.uidText(), user: l.opts.LocalUser})
}

// earlyTokens are the tokens while files are still read: of what is known so
// far, with defaults for the rest.
func (l *loader) earlyTokens(host string) Tokens {
	c := connection{host: host, original: l.original, user: l.userSoFar(), port: defaultPort, jump: l.jumpHost()}
	if v := l.st.get(kwPort); v.set {
		c.port = int(v.n)
	}
	c.alias = c.host
	if v := l.st.get(kwHostKeyAlias); v.set {
		c.alias = v.text
	}
	return l.tokens(c)
}

// jumpHost is %j: the host of ProxyJump, or "".
func (l *loader) jumpHost() string {
	if l.st.jump.none {
		return ""
	}
	return l.st.jump.host
}

func (l *loader) userSoFar() string {
	if v := l.st.get(kwUser); v.set {
		return v.text
	}
	return l.opts.LocalUser
}

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
