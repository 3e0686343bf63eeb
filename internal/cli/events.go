package cli

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/keyhelper"
	"github.com/gossh-project/gossh/internal/sshkey"
	"github.com/gossh-project/gossh/sshconfig"
)

const levelDebug1 = sshconfig.LogDebug1

// notify words the events of package client.
func (p *program) notify(e client.Event) {
	c := p.console
	switch e := e.(type) {
	case client.Banner:
		if c.getLevel() >= sshconfig.LogInfo {
			c.raw(bannerText(e.Text))
		}
	case client.HostKeyEvent:
		p.notifyHostKey(e.Event)
	case client.KeyFileSkipped:
		p.keyFileSkipped(e.Err)
	case client.KeyMissing:
		c.info("no such identity: %s: %s", e.File, errnoText(e.Err))
	case client.CertMissing:
		c.printf(levelDebug1, "debug1: certificate file %s: %s", e.File, errnoText(e.Err))
	case client.SecretRead:
		p.secrets.note()
	case client.SignFailed:
		p.signFailed(e)
	case client.SignedOtherwise:
		c.info("agent key %s returned incorrect signature type", e.Key)
	case client.NoSignatureAlgorithm:
		c.error("sign_and_send_pubkey: no mutual signature supported")
	case client.KeyHelperLine:
		c.error("%s", e.Line)
	case client.KeyHelperFailed:
		p.keyHelperFailed(e)
	case client.MasterUnusable:
		p.masterUnusable(e.Path, e.Err)
	case client.AgentFailed:
		p.agentFailed("", e.Err)
	case client.WeakKeyExchange:
		c.info("** WARNING: connection is not using a post-quantum key exchange algorithm.")
		c.info("** This session may be vulnerable to \"store now, decrypt later\" attacks.")
		c.info("** The server may need to be upgraded. See https://openssh.com/pq.html")
	case client.Restricted:
		c.error("%s is disabled to avoid man-in-the-middle attacks.", e.What)
	}
}

func (p *program) signFailed(e client.SignFailed) {
	var helper *keyhelper.ProgramError
	if errors.As(e.Err, &helper) {
		p.keyHelperMissing(e.Err)
	} else if errors.Is(e.Err, client.ErrKeyPassphrase) || errors.Is(e.Err, client.ErrKeyMismatch) || errors.Is(e.Err, fs.ErrNotExist) {
		p.console.printf(levelDebug1, "debug1: %s: %v", e.Key, e.Err)
		return
	}
	p.console.error("sign_and_send_pubkey: signing failed for %s: %s", e.Key, signFailure(e.Err))
}

// signFailure words the cause as ssh does.
func signFailure(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errnoText(errno)
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

// keyFileSkipped words a private key that cannot be used.
func (p *program) keyFileSkipped(e *client.KeyFileError) {
	c := p.console
	if errors.Is(e.Err, client.ErrKeyMismatch) {
		c.error("identity_sign: private key %s contents do not match public", e.File)
		return
	}
	if errors.Is(e.Err, client.ErrKeyPermissions) {
		c.error(bannerLine)
		c.error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
		c.error(bannerLine)
		c.error("Permissions %04o for '%s' are too open.", e.Mode, e.File)
		c.error("It is required that your private key files are NOT accessible by others.")
		c.error("This private key will be ignored.")
	}
	c.error("Load key \"%s\": %v", e.File, shortKeyError(e.Err))
}

func shortKeyError(err error) error {
	for _, known := range []error{sshkey.Reason(err), client.ErrKeyPermissions, client.ErrKeyFormat, client.ErrKeyPassphrase} {
		if known != nil && errors.Is(err, known) {
			return known
		}
	}
	return errors.New(errnoText(err))
}

// notifyHostKey words the events of package hostkey.
func (p *program) notifyHostKey(e hostkey.Event) {
	c := p.console
	switch e := e.(type) {
	case hostkey.Matched:
		p.hostKeyMatched(e)
	case hostkey.Added:
		c.info("Warning: Permanently added '%s' (%s) to the list of known hosts.", e.Host, e.KeyType)
	case hostkey.AddFailed:
		c.info("Failed to add the host to the list of known hosts (%s).", e.File)
	case hostkey.AddressAdded:
		c.info("Warning: Permanently added the %s host key for IP address '%s' to the list of known hosts.", e.KeyType, e.Address)
	case hostkey.AddressAddFailed:
		c.info("Failed to add the %s host key for IP address '%s' to the list of known hosts (%s).", e.KeyType, e.Address, e.File)
	case hostkey.AddressUnknown:
		c.printf(levelDebug1, "debug1: %s host key for IP address '%s' not in list of known hosts.", e.KeyType, e.Address)
	case hostkey.AddressDiffers:
		p.addressDiffers(e)
	case hostkey.CertRejected:
		c.error("%v", e.Err)
	case hostkey.ChangedTolerated:
		p.changedBanner(e.Err)
		p.notifyRestricted()
	case hostkey.RevokedTolerated:
		p.revokedBanner(e.Err)
		p.notifyRestricted()
	default:
		p.notifyHostKeyFiles(e)
	}
}

// notifyHostKeyFiles words what concerns the files, and their renewal.
func (p *program) notifyHostKeyFiles(e hostkey.Event) {
	c := p.console
	switch e := e.(type) {
	case hostkey.DNSMismatch:
		p.changedBanner(&hostkey.ChangedError{KeyType: e.KeyType, Fingerprint: e.Fingerprint})
		c.error("Update the SSHFP RR in DNS with the new host key to get rid of this message.")
	case hostkey.BadLine:
		c.printf(levelDebug1, "debug1: %s:%d: %v", e.File, e.Line, e.Err)
	case hostkey.SearchFailed:
		c.error("hostkeys_find_by_key_hostfile: hostkeys_foreach failed for %s: %s", e.File, errnoText(e.Err))
	case hostkey.UserDirFailed:
		c.error("Could not create directory '%s' (%s).", e.Dir, errnoText(e.Err))
	case hostkey.CommandUnusable:
		if errors.Is(e.Err, hostkey.ErrNotAbsolute) {
			c.error("KnownHostsCommand-%s path is not absolute", e.Purpose)
			return
		}
		c.error("Could not stat KnownHostsCommand-%s \"%s\": %s", e.Purpose, e.Path, errnoText(e.Err))
	case hostkey.FileUnreadable:
		c.printf(levelDebug1, "debug1: %s: %s", e.File, errnoText(e.Err))
	case hostkey.KeyLearned:
		p.keyNews(keyLearned, e.KeyType, e.Fingerprint)
	case hostkey.KeyDeprecated:
		p.keyNews(keyDeprecated, e.KeyType, e.Fingerprint)
	}
}

const (
	keyLearned    = "Learned new hostkey"
	keyDeprecated = "Deprecating obsolete hostkey"
)

// keyNews is for -v, but where a question follows, which tells it.
func (p *program) keyNews(what, keyType, fingerprint string) {
	if p.cfg.UpdateHostKeys != sshconfig.Ask {
		p.console.printf(sshconfig.LogVerbose, "%s: %s %s", what, keyType, fingerprint)
	}
}

func (p *program) hostKeyMatched(e hostkey.Matched) {
	what := "key"
	if e.Certificate {
		what = "CA key"
	}
	p.console.printf(levelDebug1, "debug1: Host '%s' is known and matches the %s host %s.", e.Host, e.KeyType, strings.TrimPrefix(what, "CA "))
	p.console.printf(levelDebug1, "debug1: Found %s in %s", what, e.Location)
	if p.cfg.VisualHostKey {
		p.console.info("Host key fingerprint is %s\n%s", hostkey.Fingerprint(e.Key), hostkey.RandomArt(e.Key))
	}
}

// notifyRestricted says what a changed host key has switched off.
func (p *program) notifyRestricted() {
	off := func(on bool, what string) {
		if on {
			p.console.error("%s is disabled to avoid man-in-the-middle attacks.", what)
		}
	}
	off(p.cfg.PasswordAuthentication, "Password authentication")
	off(p.cfg.KbdInteractiveAuthentication, "Keyboard-interactive authentication")
	off(p.cfg.ForwardAgent.Enabled, "Agent forwarding")
	off(p.cfg.ForwardX11, "X11 forwarding")
	off(len(p.cfg.LocalForward)+len(p.cfg.DynamicForward)+len(p.cfg.RemoteForward) > 0, "Port forwarding")
}
