package message

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/keyhelper"
	"github.com/gossh-project/gossh/internal/sshkey"
	"github.com/gossh-project/gossh/sshconfig"
)

// Event prints an event of package client.
func (p *Printer) Event(e client.Event) {
	c := p
	switch e := e.(type) {
	case client.Banner:
		if c.Level() >= sshconfig.LogInfo {
			c.Raw(Banner(e.Text))
		}
	case client.HostKeyEvent:
		p.hostKeyEvent(e.Event)
	case client.KeyFileSkipped:
		p.keyFileSkipped(e.Err)
	case client.KeyMissing:
		c.Infof("no such identity: %s: %s", e.File, Errno(e.Err))
	case client.CertMissing:
		c.Debugf("certificate file %s: %s", e.File, Errno(e.Err))
	case client.SignFailed:
		p.signFailed(e)
	case client.SignedOtherwise:
		c.Infof("agent key %s returned incorrect signature type", e.Key)
	case client.NoSignatureAlgorithm:
		c.Errorf("sign_and_send_pubkey: no mutual signature supported")
	case client.KeyHelperLine:
		c.Errorf("%s", e.Line)
	case client.KeyHelperFailed:
		p.keyHelperFailed(e)
	case client.MasterUnusable:
		p.MasterUnusable(e.Path, e.Err)
	case client.AgentFailed:
		p.agentFailed("", e.Err)
	case client.WeakKeyExchange:
		c.Infof("** WARNING: connection is not using a post-quantum key exchange algorithm.")
		c.Infof("** This session may be vulnerable to \"store now, decrypt later\" attacks.")
		c.Infof("** The server may need to be upgraded. See https://openssh.com/pq.html")
	case client.Restricted:
		c.Errorf("%s is disabled to avoid man-in-the-middle attacks.", e.What)
	}
}

func (p *Printer) signFailed(e client.SignFailed) {
	var helper *keyhelper.ProgramError
	if errors.As(e.Err, &helper) {
		p.keyHelperMissing(e.Err)
	} else if errors.Is(e.Err, client.ErrKeyPassphrase) || errors.Is(e.Err, client.ErrKeyMismatch) || errors.Is(e.Err, fs.ErrNotExist) {
		p.Debugf("%s: %v", e.Key, e.Err)
		return
	}
	p.Errorf("sign_and_send_pubkey: signing failed for %s: %s", e.Key, signFailure(e.Err))
}

// signFailure returns the cause of a failed signature in ssh's words.
func signFailure(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return Errno(errno)
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	}
	return innermost(err).Error()
}

func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// keyFileSkipped prints why a private key cannot be used.
func (p *Printer) keyFileSkipped(e *client.KeyFileError) {
	c := p
	if errors.Is(e.Err, client.ErrKeyMismatch) {
		c.Errorf("identity_sign: private key %s contents do not match public", e.File)
		return
	}
	if errors.Is(e.Err, client.ErrKeyPermissions) {
		c.Errorf(bannerLine)
		c.Errorf("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
		c.Errorf(bannerLine)
		c.Errorf("Permissions %04o for '%s' are too open.", e.Mode, e.File)
		c.Errorf("It is required that your private key files are NOT accessible by others.")
		c.Errorf("This private key will be ignored.")
	}
	c.Errorf("Load key \"%s\": %v", e.File, shortKeyError(e.Err))
}

func shortKeyError(err error) error {
	for _, known := range []error{sshkey.Reason(err), client.ErrKeyPermissions, client.ErrKeyFormat, client.ErrKeyPassphrase} {
		if known != nil && errors.Is(err, known) {
			return known
		}
	}
	return errors.New(Errno(err))
}

const (
	keyLearned    = "Learned new hostkey"
	keyDeprecated = "Deprecating obsolete hostkey"
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
