package message

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/keyhelper"
)

// keyHelperFailed prints why a PKCS#11 provider has no key to offer.
func (p *Printer) keyHelperFailed(e client.KeyHelperFailed) {
	c := p
	var login *keyhelper.LoginError
	switch {
	case errors.As(e.Err, &login):
		c.Errorf("PKCS#11 login failed: %s", loginFailure(login.Code))
	case errors.Is(e.Err, keyhelper.ErrPINRequired):
		c.Errorf("pin required")
	case p.keyHelperMissing(e.Err):
	default:
		c.Errorf("%s: %s", e.Program, innermost(e.Err))
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

// keyHelperMissing reports whether err is about a helper program that is not
// installed, and prints it with the packages that contain it.
func (p *Printer) keyHelperMissing(err error) bool {
	var failed *keyhelper.ProgramError
	if !errors.As(err, &failed) || !failed.Missing() {
		return false
	}
	if failed.Path != "" {
		p.Errorf("start_helper: helper \"%s\" unusable: No such file or directory", failed.Path)
		return true
	}
	p.Errorf("%s: not found. It is part of OpenSSH's client: package openssh-client (Debian), "+
		"openssh-clients (Fedora), openssh (others).", failed.Program)
	return true
}
