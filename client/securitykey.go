package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/keyhelper"
)

// securityKeySigner signs with a FIDO token, through OpenSSH's ssh-sk-helper.
type securityKeySigner struct {
	id  *identity
	key *keyhelper.SecurityKey
}

func (s *securityKeySigner) PublicKey() ssh.PublicKey { return s.key.Public }

// Sign announces the touch that the token waits for, and asks for its PIN once
// the token wants one.
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
	pin, askErr := asker.PIN(ring.ctx, PINQuestion{KeyType: shortType(s.key.Public), File: s.id.file})
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

// helperOptions pass on what a helper program writes: debug lines as our own,
// others as events.
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

// unreachable says, as ssh does, that a FIDO key in a file is left out for want
// of a SecurityKeyProvider.
func (r *keyring) unreachable(k ssh.PublicKey, file string) bool {
	if k == nil || !isSecurityKey(k) || r.d.cfg.SecurityKeyProvider != "" {
		return false
	}
	r.d.debugf("ignoring authenticator-hosted key %s as no SecurityKeyProvider has been specified", file)
	return true
}
