package client

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
)

// backoff gives delays that grow twofold and are random between the least and
// that: many clients of a server that comes back do not all come at once.
type backoff struct {
	least, most time.Duration
	random      func(n int64) int64
	ceiling     time.Duration
}

func (k *Kept) newBackoff() *backoff {
	b := &backoff{least: k.opts.MinDelay, most: k.opts.MaxDelay, random: k.random}
	b.reset()
	return b
}

// reset makes the next delay a short one.
func (b *backoff) reset() { b.ceiling = b.least }

func (b *backoff) next() time.Duration {
	if b.ceiling > b.most/2 {
		b.ceiling = b.most
	} else {
		b.ceiling *= 2
	}
	return b.least + time.Duration(b.random(int64(b.ceiling-b.least)+1))
}

// Reasons of SSH_MSG_DISCONNECT (RFC 4253, section 11.1) that the same client
// would meet again.
const (
	disconnectHostNotAllowed   = 1
	disconnectProtocolError    = 2 // what OpenSSH says for too many failures
	disconnectVersion          = 8
	disconnectAuthCancelled    = 13
	disconnectNoMoreAuth       = 14
	disconnectIllegalUser      = 15
	disconnectHostKeyUncertain = 9
)

// Retryable reports whether another Dial may succeed after one that failed with
// err. It is true for failures of networks, name servers, and busy or restarting
// servers, for time limits, and for a connection that was closed on this side.
// It is false for a refused authentication, a host key that cannot be verified,
// no algorithm in common, a server that refuses by policy, an error of a
// callback, an invalid configuration and a cancelled context.
func Retryable(err error) bool {
	var conn *ConnError
	if !errors.As(err, &conn) {
		return false
	}
	var denied *AuthError
	var callback *CallbackError
	var negotiation *ssh.AlgorithmNegotiationError
	var disconnect *DisconnectError
	var open *forward.OpenError
	switch {
	case conn.Phase == PhaseConfig:
		return false
	case errors.As(conn.Err, &denied), errors.Is(conn.Err, hostkey.ErrVerification):
		return false
	case errors.As(conn.Err, &callback):
		return false // the program knows whether calling it again makes sense
	case errors.Is(conn.Err, context.Canceled):
		return false
	case errors.As(conn.Err, &negotiation):
		return false
	case errors.As(conn.Err, &disconnect):
		return disconnect.passing(conn.Phase)
	case errors.As(conn.Err, &open): // by a jump host
		return open.Reason != ssh.Prohibited
	}
	return true
}

// passing says whether a server that hung up with this reason may have changed
// its mind next time.
func (e *DisconnectError) passing(at Phase) bool {
	switch e.Reason {
	case disconnectHostNotAllowed, disconnectVersion, disconnectAuthCancelled,
		disconnectNoMoreAuth, disconnectIllegalUser, disconnectHostKeyUncertain:
		return false
	case disconnectProtocolError:
		return at != PhaseAuth
	}
	return true
}
