package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/keyhelper"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// securityKeySigner signs with a FIDO token, through OpenSSH's ssh-sk-helper.
type securityKeySigner struct {
	id  *identity
	key *keyhelper.SecurityKey
}

func (s *securityKeySigner) PublicKey() ssh.PublicKey { return s.key.Public }

// Sign announces the touch, and asks for the PIN if the token requires one.
func (s *securityKeySigner) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	sig, err := s.attempt(data, nil)
	if !errors.Is(err, keyhelper.ErrSKPIN) {
		return sig, err
	}
	ring := s.id.ring
	asker, ok := ring.d.opts.Prompter.(KeyPrompter)
	if !ok || ring.d.cfg.BatchMode {
		return nil, err
	}
	pin, askErr := asker.PIN(ring.ctx, PINQuestion{KeyType: sshkey.TypeName(s.key.Public), File: s.id.file})
	defer clear(pin)
	ring.d.notify(SecretRead{})
	if askErr != nil {
		return nil, askErr
	}
	return s.attempt(data, pin)
}

func (s *securityKeySigner) attempt(data, pin []byte) (*ssh.Signature, error) {
	d, ctx := s.id.ring.d, s.id.ring.ctx
	if asker, ok := d.opts.Prompter.(KeyPrompter); ok && s.key.Flags&keyhelper.FlagUserPresence != 0 {
		over := asker.Touch(ctx, TouchNotice{Key: s.key.Public, Batch: d.cfg.BatchMode})
		sig, err := keyhelper.SignSecurityKey(ctx, d.cfg.SecurityKeyProvider, s.key, data, pin, d.helperOptions(keyhelper.SKHelper))
		over(err == nil)
		return sig, err
	}
	return keyhelper.SignSecurityKey(ctx, d.cfg.SecurityKeyProvider, s.key, data, pin, d.helperOptions(keyhelper.SKHelper))
}

// helperOptions returns options that log a helper program's debug lines and
// report its other lines as events.
func (d *dialer) helperOptions(program string) keyhelper.Options {
	return keyhelper.Options{
		Debug: d.opts.Logger.Enabled(context.Background(), levelDebug1),
		Log: func(line string) {
			if text, ok := strings.CutPrefix(line, "debug"); ok {
				level, text, _ := strings.Cut(text, ": ")
				d.logf(debugLevel(level), "%s: %s", program, text)
				return
			}
			d.notify(KeyHelperLine{Program: program, Line: line})
		},
	}
}

// debugLevel returns the level of ssh's debug1, debug2 or debug3 for its digit.
func debugLevel(digit string) slog.Level {
	switch digit {
	case "1":
		return levelDebug1
	case "2":
		return levelDebug2
	}
	return levelDebug3
}

// unreachable reports whether a key is a FIDO key that cannot be used without a
// SecurityKeyProvider, and logs it as ssh does.
func (r *keyring) unreachable(k ssh.PublicKey, file string) bool {
	if k == nil || !isSecurityKey(k) || r.d.cfg.SecurityKeyProvider != "" {
		return false
	}
	r.d.debugf("ignoring authenticator-hosted key %s as no SecurityKeyProvider has been specified", file)
	return true
}

// tokenKeys is the placeholder in a keyring for the keys of PKCS11Provider. They
// are listed when they are next to be offered: listing may require the PIN, and
// a key of the agent may be enough.
type tokenKeys struct {
	opened bool
	token  *keyhelper.Token // nil if it cannot be used
}

// tokenSigner signs with a key of a PKCS#11 token, through OpenSSH's
// ssh-pkcs11-helper.
type tokenSigner struct {
	ring *keyring
	key  ssh.PublicKey
}

func (s *tokenSigner) PublicKey() ssh.PublicKey { return s.key }

func (s *tokenSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, s.key.Type())
}

func (s *tokenSigner) SignWithAlgorithm(_ io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	return s.ring.tokens.token.Sign(s.ring.ctx, s.key, data, algo)
}

// openToken loads the provider, once. A provider that cannot be used is reported
// and has no keys. The only error is that of the context.
func (r *keyring) openToken() error {
	if r.tokens.opened {
		return nil
	}
	r.tokens.opened = true
	d := r.d
	token, err := (*keyhelper.Token)(nil), error(nil)
	d.untimed(func() error {
		token, err = keyhelper.OpenToken(r.ctx, d.cfg.PKCS11Provider, r.pinSource(), d.helperOptions(keyhelper.PKCS11Helper))
		return err
	})
	if err == nil {
		r.tokens.token = token
		return nil
	}
	if ended := contextError(r.ctx); ended != nil {
		return ended
	}
	if errors.Is(err, keyhelper.ErrNoKeys) {
		d.debugf("provider %s returned no keys", d.cfg.PKCS11Provider)
		return nil
	}
	d.auth.note(err)
	d.notify(KeyHelperFailed{Program: keyhelper.PKCS11Helper, Err: err})
	return nil
}

// pinSource returns a function that asks for a token's PIN, or nil if no
// question may be asked.
func (r *keyring) pinSource() func(context.Context, []string) ([]byte, error) {
	asker, ok := r.d.opts.Prompter.(KeyPrompter)
	if !ok || r.d.cfg.BatchMode {
		return nil
	}
	return func(ctx context.Context, labels []string) ([]byte, error) {
		defer r.d.notify(SecretRead{})
		return asker.PIN(ctx, PINQuestion{Tokens: labels, Provider: r.d.cfg.PKCS11Provider})
	}
}

// listTokens replaces the placeholder by the keys of the token.
func (r *keyring) listTokens() error {
	at := slices.IndexFunc(r.keys, func(k *identity) bool { return k.tokens })
	if at < 0 {
		return nil
	}
	ids, err := r.tokenIdentities()
	if err == nil {
		r.keys = slices.Replace(r.keys, at, at+1, ids...)
	}
	return err
}

// tokenIdentities returns the token's keys: those that an IdentityFile names by
// its public key, and then the others, unless IdentitiesOnly is set.
func (r *keyring) tokenIdentities() ([]*identity, error) {
	if err := r.openToken(); err != nil || r.tokens.token == nil {
		return nil, err
	}
	var named, others []*identity
	for _, key := range r.tokens.token.Keys() {
		id := &identity{ring: r, pub: key.Public, signer: &tokenSigner{r, key.Public}, shown: key.Label, where: "token"}
		switch {
		case r.lists(key.Public):
			named = append(named, id)
		case !r.d.cfg.IdentitiesOnly:
			others = append(others, id)
		}
	}
	ids := r.acceptable(append(named, others...))
	for _, k := range ids {
		r.d.debugf("Will attempt key: %s", k.describe())
	}
	return ids, nil
}

// lists reports whether a key is the public key of an IdentityFile that has not
// been offered yet.
func (r *keyring) lists(key ssh.PublicKey) bool {
	return slices.ContainsFunc(r.keys, func(k *identity) bool {
		return k.where != "agent" && k.signer == nil && sshkey.Same(k.pub, key)
	})
}

// fromToken returns the signer on the token for a certificate, or nil.
func (k *identity) fromToken() (ssh.Signer, error) {
	cert, ok := k.pub.(*ssh.Certificate)
	r := k.ring
	if !ok || r.tokens == nil || r.d.cfg.IdentitiesOnly && !r.lists(cert.Key) {
		return nil, nil
	}
	if !r.tokens.opened && r.holdsPrivateKey(k.file) {
		return nil, nil
	}
	if err := r.openToken(); err != nil || r.tokens.token == nil {
		return nil, err
	}
	for _, key := range r.tokens.token.Keys() {
		if sshkey.Same(key.Public, cert.Key) {
			return &tokenSigner{r, key.Public}, nil
		}
	}
	return nil, nil
}

// holdsPrivateKey reports whether a file holds a private key. It is tried before
// the token's PIN is asked for.
func (r *keyring) holdsPrivateKey(file string) bool {
	kf, err := r.files.read(file)
	if err != nil {
		return false
	}
	r.files.done(kf)
	_, err = r.files.public(file)
	return err != nil
}
