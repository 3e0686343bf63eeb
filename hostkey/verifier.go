package hostkey

import (
	"context"
	"net"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// Verifier verifies the keys of one connection. The first key exchange uses Check.
// Later ones compare the key with the accepted one.
type Verifier struct {
	checker *Checker
	target  Target
	// ctx is that of the handshake: ssh.HostKeyCallback has none of its own.
	ctx context.Context

	mu       sync.Mutex
	shown    ssh.PublicKey // what the accepted verdict was about
	verdict  *Verdict
	sawNames bool // Update has run: the server announces its keys once
	learned  []ssh.PublicKey
}

// Verifier returns the Verifier of one connection. ctx applies to the first check
// only; later key exchanges neither ask nor read files.
func (c *Checker) Verifier(ctx context.Context, t Target) *Verifier {
	return &Verifier{checker: c, target: t, ctx: ctx}
}

// Callback is an ssh.HostKeyCallback. It uses Target.Addr instead of the address
// that it is given. A refusal is not recorded. The mutex is not held while a
// person is asked, since a connection makes one key exchange at a time.
func (v *Verifier) Callback(_ string, _ net.Addr, key ssh.PublicKey) error {
	v.mu.Lock()
	accepted, shown := v.verdict != nil, v.shown
	v.mu.Unlock()
	if accepted {
		if !sshkey.Same(shown, key) {
			return &RekeyError{Accepted: Fingerprint(shown), Shown: Fingerprint(key)}
		}
		return nil
	}
	verdict, err := v.checker.Check(v.ctx, v.target, key)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.verdict, v.shown = verdict, key
	return nil
}

// Verdict returns the result of the first key exchange, or nil before it.
func (v *Verifier) Verdict() *Verdict {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.verdict
}

// Target returns the Target of the connection.
func (v *Verifier) Target() Target { return v.target }

// unlikeEarlier reports that earlier connections accepted keys, and not this
// one. A certificate counts as the key in it: what is on file vouches for its
// CA, or the CA does not count.
func (o *Options) unlikeEarlier(key ssh.PublicKey) bool {
	return len(o.Earlier) > 0 && !slices.ContainsFunc(o.Earlier, func(k ssh.PublicKey) bool { return samePublic(k, key) })
}

// hasEarlier reports that an earlier connection accepted a key of this format.
func (o *Options) hasEarlier(format string) bool {
	return slices.ContainsFunc(o.Earlier, func(k ssh.PublicKey) bool { return sshkey.Plain(k).Type() == format })
}

// earlierError refuses a key that is not one of Options.Earlier.
func earlierError(t Target, key ssh.PublicKey) error {
	key = sshkey.Plain(key)
	return &ChangedError{
		Host: t.Name(), Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Earlier: true,
	}
}

// Accepted returns the key of the first key exchange, followed by the keys that
// the server has proven since (UpdateHostKeys). It returns nil before the first
// key exchange. The result is for Options.Earlier of the next connection.
func (v *Verifier) Accepted() []ssh.PublicKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.verdict == nil {
		return nil
	}
	return append([]ssh.PublicKey{v.verdict.Key}, v.learned...)
}

// learn remembers keys that the server has proven.
func (v *Verifier) learn(keys []ssh.PublicKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.learned = append(v.learned, keys...)
}
