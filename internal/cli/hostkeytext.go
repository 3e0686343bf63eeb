package cli

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
)

// newHostText is the question about a host that nothing is known of.
func (p *program) newHostText(q hostkey.NewHostQuestion) string {
	var b strings.Builder
	host := q.Host
	if q.Address != "" {
		host += " (" + q.Address + ")"
	}
	fmt.Fprintf(&b, "The authenticity of host '%s' can't be established.\n", oneLine(host))
	fmt.Fprintf(&b, "%s key fingerprint is %s.\n", q.KeyType, p.fingerprint(q.Key, q.Fingerprint))
	if p.cfg.VisualHostKey {
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

// fingerprint is a key's in the form of FingerprintHash; sha256 is at hand.
func (p *program) fingerprint(key ssh.PublicKey, sha256 string) string {
	if p.cfg.FingerprintHash == "MD5" && key != nil {
		return hostkey.FingerprintMD5(key)
	}
	return sha256
}

// maxOtherNames is how many other names of a key are listed.
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
		fmt.Fprintf(&b, "    %s:%d: %s\n", n.File, n.Line, oneLine(hosts))
	}
	return b.String()
}

const bannerLine = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

// changedBanner is the loud warning. Unlike every other message it is made of
// several, so that each is a line of its own in a log.
func (p *program) changedBanner(e *hostkey.ChangedError) {
	if e.Spoofing != nil {
		p.spoofingBanner(e)
	}
	c := p.console
	c.error(bannerLine)
	c.error("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
	c.error(bannerLine)
	c.error("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!")
	c.error("Someone could be eavesdropping on you right now (man-in-the-middle attack)!")
	c.error("It is also possible that a host key has just been changed.")
	c.error("The fingerprint for the %s key sent by the remote host is\n%s.", e.KeyType, p.fingerprint(e.Key, e.Fingerprint))
	c.error("Please contact your system administrator.")
	if e.AddTo != "" {
		c.error("Add correct host key in %s to get rid of this message.", e.AddTo)
	}
	if len(e.Offending) > 0 {
		p.offending(e.Offending[len(e.Offending)-1], e.Host)
	}
}

func (p *program) offending(l hostkey.Location, host string) {
	p.console.error("Offending %s key in %s:%d", l.KeyType, l.File, l.Line)
	p.console.error("  remove with:")
	p.console.error("  ssh-keygen -f \"%s\" -R \"%s\"", l.File, host)
}

// spoofingBanner tells that the address is known otherwise, too.
func (p *program) spoofingBanner(e *hostkey.ChangedError) {
	what := "is unknown"
	switch {
	case e.Spoofing.Unchanged:
		what = "is unchanged"
	case e.Spoofing.Known:
		what = "has a different value"
	}
	c := p.console
	c.error(bannerLine)
	c.error("@       WARNING: POSSIBLE DNS SPOOFING DETECTED!          @")
	c.error(bannerLine)
	c.error("The %s host key for %s has changed,", e.KeyType, e.Host)
	c.error("and the key for the corresponding IP address %s", e.Address)
	c.error("%s. This could either mean that", what)
	c.error("DNS SPOOFING is happening or the IP address for the host")
	c.error("and its host key have changed at the same time.")
	if e.Spoofing.Location != nil {
		c.error("Offending key for IP in %s:%d", e.Spoofing.Location.File, e.Spoofing.Location.Line)
		c.error("  remove with:")
		c.error("  ssh-keygen -f \"%s\" -R \"%s\"", e.Spoofing.Location.File, e.Address)
	}
}

func (p *program) revokedBanner(e *hostkey.RevokedError) {
	c := p.console
	if e.Location == nil {
		c.error("Host key %s %s revoked by file %s", e.KeyType, e.Fingerprint, e.File)
		return
	}
	c.error(bannerLine)
	c.error("@       WARNING: REVOKED HOST KEY DETECTED!               @")
	c.error(bannerLine)
	c.error("The %s host key for %s is marked as revoked.", e.KeyType, e.Host)
	c.error("This could mean that a stolen key is being used to")
	c.error("impersonate this host.")
}

// hostKeyRefused says why; "Host key verification failed." follows.
func (p *program) hostKeyRefused(err error) {
	var unknown *hostkey.UnknownError
	var changed *hostkey.ChangedError
	var revoked *hostkey.RevokedError
	var address *hostkey.AddressError
	var other *hostkey.AskError
	var list *hostkey.RevocationListError
	switch c := p.console; {
	case errors.As(err, &changed):
		p.changedBanner(changed)
		if changed.Earlier {
			c.error("Host key for %s has changed since the connection that was lost.", changed.Host)
			return
		}
		c.error("Host key for %s has changed and you have requested strict checking.", changed.Host)
	case errors.As(err, &revoked):
		p.revokedBanner(revoked)
		if revoked.Location != nil {
			c.error("%s host key for %s was revoked and you have requested strict checking.", revoked.KeyType, revoked.Host)
		}
	case errors.As(err, &unknown):
		if unknown.Strict == hostkey.StrictYes {
			c.error("No %s host key is known for %s and you have requested strict checking.", unknown.KeyType, unknown.Host)
		}
	case errors.As(err, &address):
		p.addressDiffers(address.Differs)
		c.error("Exiting, you have requested strict checking.")
	case errors.As(err, &list):
		c.error("Error checking host key %s %s in revoked keys file %s: %s", list.KeyType, list.Fingerprint, list.File, errnoText(list.Err))
	case errors.As(err, &other):
		c.printf(levelDebug1, "debug1: %v", other)
	default:
		c.error("%v", err)
	}
}

// commandFailed words the end of a KnownHostsCommand.
func (p *program) commandFailed(e *hostkey.CommandError) {
	what := fmt.Sprintf("KnownHostsCommand-%s %s", e.Purpose, e.Command)
	var exit *exec.ExitError
	if !errors.As(e.Err, &exit) {
		p.console.error("%s: %s", what, errnoText(e.Err))
	} else if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		p.console.error("%s exited on signal %d", what, int(status.Signal()))
	} else {
		p.console.error("%s failed, status %d", what, exit.ExitCode())
	}
	p.console.fatal("KnownHostsCommand failed")
}

func (p *program) addressDiffers(e hostkey.AddressDiffers) {
	text := fmt.Sprintf("Warning: the %s host key for '%s' differs from the key for the IP address '%s'\nOffending key for IP in %s:%d",
		e.KeyType, e.Host, e.Address, e.Offending.File, e.Offending.Line)
	if e.Matching != nil {
		text += fmt.Sprintf("\nMatching host key in %s:%d", e.Matching.File, e.Matching.Line)
	}
	p.console.info("%s", text)
}
