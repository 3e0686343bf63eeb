package client

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// OfferedKey is a public key that Dial would offer to a server.
type OfferedKey struct {
	Name     string        // the file, or the agent's comment
	Key      ssh.PublicKey // nil if the file must be decrypted first
	Explicit bool          // the user named it; it is not a default
	Token    bool          // on a PKCS#11 token
	Agent    bool          // the agent holds it
}

// OfferedKeys returns the keys that Dial would offer to target with the same
// Options, in the order in which Dial offers them. It reads files and queries
// the agent, but connects to no server.
func OfferedKeys(ctx context.Context, target string, opts *Options) ([]OfferedKey, error) {
	o, err := opts.withDefaults().resolved(ctx, target)
	if err != nil {
		return nil, err
	}
	ring := newDialer(o, nil).newKeyring(ctx, nil)
	defer ring.close()
	if err := ring.listTokens(); err != nil {
		return nil, err
	}
	keys := make([]OfferedKey, len(ring.keys))
	for i, k := range ring.keys {
		keys[i] = k.offered()
	}
	return keys, nil
}

func (k *identity) offered() OfferedKey {
	return OfferedKey{Name: k.shown, Key: k.pub, Explicit: k.named, Token: k.where == "token", Agent: k.where == "agent"}
}

// String returns the key in the form of ssh -v.
func (k OfferedKey) String() string {
	var b strings.Builder
	b.WriteString(k.Name + " ")
	if k.Key != nil {
		b.WriteString(sshkey.TypeName(k.Key) + " " + sshkey.Fingerprint(k.Key))
	}
	if k.Explicit {
		b.WriteString(" explicit")
	}
	if k.Token {
		b.WriteString(" token")
	} else if k.Key != nil && isSecurityKey(k.Key) {
		b.WriteString(" authenticator")
	}
	if k.Agent {
		b.WriteString(" agent")
	}
	return b.String()
}

// isSecurityKey reports whether a FIDO token signs for the key.
func isSecurityKey(k ssh.PublicKey) bool { return strings.HasPrefix(k.Type(), "sk-") }

// byPriority reorders the keys that the user did not name, within the places
// that they have: certificates come before keys, and keys of FIDO tokens first
// if the token need not be touched and last if it requires a PIN (OpenSSH 10.5,
// identity_prioritise in sshconnect2.c).
func byPriority(keys []*identity) []*identity {
	var places []int
	var unnamed []*identity
	for i, k := range keys {
		if !k.named {
			places = append(places, i)
			unnamed = append(unnamed, k)
		}
	}
	slices.SortStableFunc(unnamed, func(a, b *identity) int { return priority(a.pub) - priority(b.pub) })
	for i, place := range places {
		keys[place] = unnamed[i]
	}
	return keys
}

// priority returns the rank of a key. The lowest is offered first.
func priority(k ssh.PublicKey) int {
	cert, ok := k.(*ssh.Certificate)
	if !ok {
		return 3
	}
	if !isSecurityKey(cert) {
		return 1
	}
	if _, ok := cert.CriticalOptions["verify-required"]; ok {
		return 2
	}
	if _, ok := cert.Extensions["no-touch-required"]; ok {
		return 0
	}
	return 1
}
