package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/keyhelper"
)

// PIN asks for the PIN of a FIDO key or of PKCS#11 tokens.
func (a *prompter) PIN(ctx context.Context, q client.PINQuestion) ([]byte, error) {
	answer, err := a.ask.Ask(ctx, pinPrompt(q), 0)
	return []byte(answer), err
}

func pinPrompt(q client.PINQuestion) string {
	switch {
	case q.File != "":
		return oneLine(fmt.Sprintf("Enter PIN for %s key %s: ", q.KeyType, q.File))
	case len(q.Tokens) == 0:
		return oneLine(fmt.Sprintf("Enter PIN for '%s': ", q.Provider))
	}
	return oneLine(fmt.Sprintf("Enter PIN for '%s': ", strings.Join(q.Tokens, "', '")))
}

// Touch shows that a security key waits, where ssh shows it.
func (a *prompter) Touch(ctx context.Context, n client.TouchNotice) func(confirmed bool) {
	kind, print := hostkey.KeyType(n.Key), a.p.fingerprint(n.Key, ssh.FingerprintSHA256(n.Key))
	notice := a.ask.Notify(ctx, fmt.Sprintf("Confirm user presence for key %s %s", kind, print), n.Batch)
	return func(confirmed bool) {
		notice.Close()
		if confirmed && notice.OnTerminal() {
			a.p.console.raw("User presence confirmed\r\n")
		}
	}
}

// keyHelperFailed words why a PKCS#11 provider has no key to offer.
func (p *program) keyHelperFailed(e client.KeyHelperFailed) {
	c := p.console
	var login *keyhelper.LoginError
	switch {
	case errors.As(e.Err, &login):
		c.error("PKCS#11 login failed: %s", loginFailure(login.Code))
	case errors.Is(e.Err, keyhelper.ErrPINRequired):
		c.error("pin required")
	case p.keyHelperMissing(e.Err):
	default:
		c.error("%s: %s", e.Program, innermost(e.Err))
	}
}

func loginFailure(code uint64) string {
	switch code {
	case keyhelper.PINIncorrect:
		return "PIN incorrect"
	case keyhelper.PINLengthRange:
		return "PIN length out of range"
	case keyhelper.PINLocked:
		return "PIN locked"
	}
	return fmt.Sprintf("error %d", code)
}

// keyHelperMissing names a helper program that is not installed, with the
// packages that have it.
func (p *program) keyHelperMissing(err error) bool {
	var failed *keyhelper.ProgramError
	if !errors.As(err, &failed) || !failed.Missing() {
		return false
	}
	if failed.Path != "" {
		p.console.error("start_helper: helper \"%s\" unusable: No such file or directory", failed.Path)
		return true
	}
	p.console.error("%s: not found. It is part of OpenSSH's client: package openssh-client (Debian), "+
		"openssh-clients (Fedora), openssh (others).", failed.Program)
	return true
}
