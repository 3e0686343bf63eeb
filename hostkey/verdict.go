package hostkey

import "golang.org/x/crypto/ssh"

// Status is the reason for which a key was accepted.
type Status int

const (
	StatusKnown            Status = iota + 1 // on file, or certified by a CA on file
	StatusKnownWithoutPort                   // on file under the host's name without the port
	StatusAdded                              // new, and accepted (whether or not it could be written)
	StatusLocalhost                          // not looked at: NoHostAuthenticationForLocalhost
	StatusDNS                                // trusted because of a secure SSHFP record
	StatusChanged                            // not the key on file; StrictNo tolerates it
	StatusRevoked                            // marked @revoked; StrictNo tolerates it
)

// Verdict is the result of a Check that accepted the key.
type Verdict struct {
	Status Status
	// Key is what was accepted: the certificate, the plain key, or the plain
	// key out of a certificate that was not good.
	Key ssh.PublicKey
	// Restricted is set for StatusChanged and StatusRevoked: somebody may sit
	// in between. The caller must disable password and keyboard-interactive
	// authentication, the forwarding of agent, X11, ports and tunnels, and
	// give up if ExitOnForwardFailure wanted one of them.
	Restricted bool
	// Found is the line that vouches for the key, nil if there is none.
	Found *Location
	// MayUpdate: UpdateHostKeys is on and the key was trusted in a way that
	// allows it: plain, from a user file, or confirmed by a person.
	MayUpdate bool
	// checkIP remembers whether CheckHostIP applied to this connection.
	checkIP bool
}
