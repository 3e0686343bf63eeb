package message

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
)

// HostQuestion returns the question whether to accept the key of an unknown host.
func (p *Printer) HostQuestion(q hostkey.NewHostQuestion) string {
	var b strings.Builder
	host := q.Host
	if q.Address != "" {
		host += " (" + q.Address + ")"
	}
	fmt.Fprintf(&b, "The authenticity of host '%s' can't be established.\n", OneLine(host))
	fmt.Fprintf(&b, "%s key fingerprint is %s.\n", q.KeyType, p.Fingerprint(q.Key, q.Fingerprint))
	if p.Config.VisualHostKey {
		b.WriteString(hostkey.RandomArt(q.Key) + "\n")
	}
	if q.DNS != nil {
		if q.DNS.Matching {
			b.WriteString("Matching host key fingerprint found in DNS.\n")
		} else {
			b.WriteString("No matching host key fingerprint found in DNS.\n")
		}
	}
	b.WriteString(otherNamesText(q.OtherNames))
	b.WriteString("Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
	return b.String()
}

// Fingerprint returns the fingerprint of key in the form that FingerprintHash
// demands. sha256 is the SHA256 fingerprint, which the caller has already.
func (p *Printer) Fingerprint(key ssh.PublicKey, sha256 string) string {
	if p.Config.FingerprintHash == "MD5" && key != nil {
		return hostkey.FingerprintMD5(key)
	}
	return sha256
}

// maxOtherNames limits how many other names of a key are listed.
const maxOtherNames = 8

func otherNamesText(names []hostkey.OtherName) string {
	if len(names) == 0 {
		return "This key is not known by any other names.\n"
	}
	var b strings.Builder
	b.WriteString("This host key is known by the following other names/addresses:\n")
	for i, n := range names {
		if i == maxOtherNames {
			fmt.Fprintf(&b, "    (%d additional names omitted)\n", len(names)-i)
			break
		}
		hosts := n.Hosts
		if n.Hashed {
			hosts = "[hashed name]"
		}
		fmt.Fprintf(&b, "    %s:%d: %s\n", n.File, n.Line, OneLine(hosts))
	}
	return b.String()
}

const bannerLine = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

// changedBanner prints the warning about a changed host key. It prints each line
// as a message, as ssh does, so that a log has them as lines.
func (p *Printer) changedBanner(e *hostkey.ChangedError) {
	if e.Spoofing != nil {
		p.spoofingBanner(e)
	}
	c := p
	c.Errorf(bannerLine)
	c.Errorf("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
	c.Errorf(bannerLine)
	c.Errorf("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!")
	c.Errorf("Someone could be eavesdropping on you right now (man-in-the-middle attack)!")
	c.Errorf("It is also possible that a host key has just been changed.")
	c.Errorf("The fingerprint for the %s key sent by the remote host is\n%s.", e.KeyType, p.Fingerprint(e.Key, e.Fingerprint))
	c.Errorf("Please contact your system administrator.")
	if e.AddTo != "" {
		c.Errorf("Add correct host key in %s to get rid of this message.", e.AddTo)
	}
	if len(e.Offending) > 0 {
		p.offending(e.Offending[len(e.Offending)-1], e.Host)
	}
}

func (p *Printer) offending(l hostkey.Location, host string) {
	p.Errorf("Offending %s key in %s:%d", l.KeyType, l.File, l.Line)
	p.Errorf("  remove with:")
	p.Errorf("  ssh-keygen -f \"%s\" -R \"%s\"", l.File, host)
}

// spoofingBanner prints the warning that the key of the address differs too.
func (p *Printer) spoofingBanner(e *hostkey.ChangedError) {
	what := "is unknown"
	switch {
	case e.Spoofing.Unchanged:
		what = "is unchanged"
	case e.Spoofing.Known:
		what = "has a different value"
	}
	c := p
	c.Errorf(bannerLine)
	c.Errorf("@       WARNING: POSSIBLE DNS SPOOFING DETECTED!          @")
	c.Errorf(bannerLine)
	c.Errorf("The %s host key for %s has changed,", e.KeyType, e.Host)
	c.Errorf("and the key for the corresponding IP address %s", e.Address)
	c.Errorf("%s. This could either mean that", what)
	c.Errorf("DNS SPOOFING is happening or the IP address for the host")
	c.Errorf("and its host key have changed at the same time.")
	if e.Spoofing.Location != nil {
		c.Errorf("Offending key for IP in %s:%d", e.Spoofing.Location.File, e.Spoofing.Location.Line)
		c.Errorf("  remove with:")
		c.Errorf("  ssh-keygen -f \"%s\" -R \"%s\"", e.Spoofing.Location.File, e.Address)
	}
}

// revokedBanner prints the warning about a revoked host key.
func (p *Printer) revokedBanner(e *hostkey.RevokedError) {
	c := p
	if e.Location == nil {
		c.Errorf("Host key %s %s revoked by file %s", e.KeyType, e.Fingerprint, e.File)
		return
	}
	c.Errorf(bannerLine)
	c.Errorf("@       WARNING: REVOKED HOST KEY DETECTED!               @")
	c.Errorf(bannerLine)
	c.Errorf("The %s host key for %s is marked as revoked.", e.KeyType, e.Host)
	c.Errorf("This could mean that a stolen key is being used to")
	c.Errorf("impersonate this host.")
}

// hostKeyRefused prints why a host key was refused. The caller prints "Host key
// verification failed." after it.
func (p *Printer) hostKeyRefused(err error) {
	var unknown *hostkey.UnknownError
	var changed *hostkey.ChangedError
	var revoked *hostkey.RevokedError
	var address *hostkey.AddressError
	var other *hostkey.AskError
	var list *hostkey.RevocationListError
	switch c := p; {
	case errors.As(err, &changed):
		p.changedBanner(changed)
		if changed.Earlier {
			c.Errorf("Host key for %s has changed since the connection that was lost.", changed.Host)
			return
		}
		c.Errorf("Host key for %s has changed and you have requested strict checking.", changed.Host)
	case errors.As(err, &revoked):
		p.revokedBanner(revoked)
		if revoked.Location != nil {
			c.Errorf("%s host key for %s was revoked and you have requested strict checking.", revoked.KeyType, revoked.Host)
		}
	case errors.As(err, &unknown):
		if unknown.Strict == hostkey.StrictYes {
			c.Errorf("No %s host key is known for %s and you have requested strict checking.", unknown.KeyType, unknown.Host)
		}
	case errors.As(err, &address):
		p.AddressDiffers(address.Differs)
		c.Errorf("Exiting, you have requested strict checking.")
	case errors.As(err, &list):
		c.Errorf("Error checking host key %s %s in revoked keys file %s: %s", list.KeyType, list.Fingerprint, list.File, Errno(list.Err))
	case errors.As(err, &other):
		c.Debugf("%v", other)
	default:
		c.Errorf("%v", err)
	}
}

// commandFailed prints how a KnownHostsCommand failed.
func (p *Printer) commandFailed(e *hostkey.CommandError) {
	what := fmt.Sprintf("KnownHostsCommand-%s %s", e.Purpose, e.Command)
	var exit *exec.ExitError
	if !errors.As(e.Err, &exit) {
		p.Errorf("%s: %s", what, Errno(e.Err))
	} else if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		p.Errorf("%s exited on signal %d", what, int(status.Signal()))
	} else {
		p.Errorf("%s failed, status %d", what, exit.ExitCode())
	}
	p.Fatalf("KnownHostsCommand failed")
}

// AddressDiffers prints the warning that host and address have different keys.
func (p *Printer) AddressDiffers(e hostkey.AddressDiffers) {
	text := fmt.Sprintf("Warning: the %s host key for '%s' differs from the key for the IP address '%s'\nOffending key for IP in %s:%d",
		e.KeyType, e.Host, e.Address, e.Offending.File, e.Offending.Line)
	if e.Matching != nil {
		text += fmt.Sprintf("\nMatching host key in %s:%d", e.Matching.File, e.Matching.Line)
	}
	p.Infof("%s", text)
}

// keyNews prints a key that the server has added or removed, unless a question
// with the same lines follows.
func (p *Printer) keyNews(what, keyType, fingerprint string) {
	if p.Config.UpdateHostKeys != sshconfig.Ask {
		p.Printf(sshconfig.LogVerbose, "%s: %s %s", what, keyType, fingerprint)
	}
}

// hostKeyMatched prints which known_hosts line matched.
func (p *Printer) hostKeyMatched(e hostkey.Matched) {
	what := "key"
	if e.Certificate {
		what = "CA key"
	}
	p.Debugf("Host '%s' is known and matches the %s host %s.", e.Host, e.KeyType, strings.TrimPrefix(what, "CA "))
	p.Debugf("Found %s in %s", what, e.Location)
	if p.Config.VisualHostKey {
		p.Infof("Host key fingerprint is %s\n%s", hostkey.Fingerprint(e.Key), hostkey.RandomArt(e.Key))
	}
}

// restricted prints what a changed host key disables.
func (p *Printer) restricted() {
	off := func(on bool, what string) {
		if on {
			p.Errorf("%s is disabled to avoid man-in-the-middle attacks.", what)
		}
	}
	off(p.Config.PasswordAuthentication, "Password authentication")
	off(p.Config.KbdInteractiveAuthentication, "Keyboard-interactive authentication")
	off(p.Config.ForwardAgent.Enabled, "Agent forwarding")
	off(p.Config.ForwardX11, "X11 forwarding")
	off(len(p.Config.LocalForward)+len(p.Config.DynamicForward)+len(p.Config.RemoteForward) > 0, "Port forwarding")
}

// hostKeyEvent prints an event of package hostkey.
func (p *Printer) hostKeyEvent(e hostkey.Event) {
	c := p
	switch e := e.(type) {
	case hostkey.Matched:
		p.hostKeyMatched(e)
	case hostkey.Added:
		c.Infof("Warning: Permanently added '%s' (%s) to the list of known hosts.", e.Host, e.KeyType)
	case hostkey.AddFailed:
		c.Infof("Failed to add the host to the list of known hosts (%s).", e.File)
	case hostkey.AddressAdded:
		c.Infof("Warning: Permanently added the %s host key for IP address '%s' to the list of known hosts.", e.KeyType, e.Address)
	case hostkey.AddressAddFailed:
		c.Infof("Failed to add the %s host key for IP address '%s' to the list of known hosts (%s).", e.KeyType, e.Address, e.File)
	case hostkey.AddressUnknown:
		c.Debugf("%s host key for IP address '%s' not in list of known hosts.", e.KeyType, e.Address)
	case hostkey.AddressDiffers:
		p.AddressDiffers(e)
	case hostkey.CertRejected:
		c.Errorf("%v", e.Err)
	case hostkey.ChangedTolerated:
		p.changedBanner(e.Err)
		p.restricted()
	case hostkey.RevokedTolerated:
		p.revokedBanner(e.Err)
		p.restricted()
	default:
		p.hostKeyFileEvent(e)
	}
}

// hostKeyFileEvent prints an event about known_hosts files and UpdateHostKeys.
func (p *Printer) hostKeyFileEvent(e hostkey.Event) {
	c := p
	switch e := e.(type) {
	case hostkey.DNSMismatch:
		p.changedBanner(&hostkey.ChangedError{KeyType: e.KeyType, Fingerprint: e.Fingerprint})
		c.Errorf("Update the SSHFP RR in DNS with the new host key to get rid of this message.")
	case hostkey.BadLine:
		c.Debugf("%s:%d: %v", e.File, e.Line, e.Err)
	case hostkey.SearchFailed:
		c.Errorf("hostkeys_find_by_key_hostfile: hostkeys_foreach failed for %s: %s", e.File, Errno(e.Err))
	case hostkey.UserDirFailed:
		c.Errorf("Could not create directory '%s' (%s).", e.Dir, Errno(e.Err))
	case hostkey.CommandUnusable:
		if errors.Is(e.Err, hostkey.ErrNotAbsolute) {
			c.Errorf("KnownHostsCommand-%s path is not absolute", e.Purpose)
			return
		}
		c.Errorf("Could not stat KnownHostsCommand-%s \"%s\": %s", e.Purpose, e.Path, Errno(e.Err))
	case hostkey.FileUnreadable:
		c.Debugf("%s: %s", e.File, Errno(e.Err))
	case hostkey.KeyLearned:
		p.keyNews(keyLearned, e.KeyType, e.Fingerprint)
	case hostkey.KeyDeprecated:
		p.keyNews(keyDeprecated, e.KeyType, e.Fingerprint)
	}
}

// UpdateQuestion prints the host keys that the server has added and removed. The
// question whether to accept them follows.
func (p *Printer) UpdateQuestion(q hostkey.UpdateQuestion) {
	p.Infof("The server has updated its host keys.")
	p.Infof("These changes were verified by the server's existing trusted key.")
	for _, key := range q.Learned {
		p.Infof("%s: %s %s", keyLearned, hostkey.KeyType(key), p.Fingerprint(key, hostkey.Fingerprint(key)))
	}
	for _, key := range q.Removed {
		p.Infof("%s: %s %s", keyDeprecated, hostkey.KeyType(key), p.Fingerprint(key, hostkey.Fingerprint(key)))
	}
}
