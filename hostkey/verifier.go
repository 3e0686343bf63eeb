package hostkey

import (
	"context"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Verifier judges the keys of one connection: the first key exchange by a
// Check, every later one by comparison with what was accepted.
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

// Callback is an ssh.HostKeyCallback. The address that it is given is not
// used: Target.Addr counts. A refusal is not remembered. The mutex is free
// while a person is asked; one connection makes one key exchange at a time.
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

// Verdict is the outcome of the first key exchange, nil before it.
func (v *Verifier) Verdict() *Verdict {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.verdict
}

// Target is what the connection is meant to reach.
func (v *Verifier) Target() Target { return v.target }
