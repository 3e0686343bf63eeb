package hostkey

import (
	"context"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
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
		if !sameKey(shown, key) {
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
