package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cause"
	"github.com/gossh-project/gossh/internal/xssh"
	"github.com/gossh-project/gossh/transport"
	"golang.org/x/crypto/ssh"
)

// ErrClosed is the error of a Client or Kept after its Close was called. It matches
// net.ErrClosed.
var ErrClosed = cause.Closed("client: connection closed")

// ErrTimeout is the cause of a Dial that ConnectTimeout ended.
var ErrTimeout = errors.New("client: timed out")

// Phase is a step of Dial.
type Phase int

const (
	PhaseConfig    Phase = iota // reading the configuration
	PhaseResolve                // looking up the host name
	PhaseConnect                // TCP, or the start of the ProxyCommand
	PhaseBanner                 // exchange of identification strings
	PhaseKex                    // key exchange and host key
	PhaseAuth                   // authentication
	PhaseConnected              // after Dial: the connection was up
)

// String returns the name of the phase, such as "key exchange".
func (p Phase) String() string {
	names := [...]string{"configuration", "name lookup", "connect", "identification", "key exchange", "authentication", "connected"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("Phase(%d)", int(p))
	}
	return names[p]
}

// ConnError is the error of every Dial that failed, and of every connection that
// was lost. It names the host and the phase; Err is the cause:
//
//   - [*TargetError], [*sshconfig.Error] or [ErrTooManyJumps] in PhaseConfig
//   - [*ResolveError] in PhaseResolve
//   - an error of package net, a *forward.OpenError of a jump host, or that of
//     Options.NetDial in PhaseConnect
//   - [*VersionError] in PhaseBanner
//   - an *ssh.AlgorithmNegotiationError, or an error that matches
//     hostkey.ErrVerification, in PhaseKex
//   - [*AuthError] in PhaseAuth
//   - in any phase: [*CallbackError], [*DisconnectError], [ErrTimeout],
//     *keepalive.PeerLostError, io.EOF if the server closed the connection, and,
//     if the context ended, an error that matches both its Err and its cause
//
// Causes are found with errors.Is and errors.As.
type ConnError struct {
	// Host is the HostName of the target; in PhaseConfig the host as Dial was
	// given it.
	Host string
	// Jump is the HostName of the jump host at which Dial failed. It is empty if
	// Dial failed at the target itself.
	Jump string
	// Phase, Port and Address belong to Jump if it is set, and to Host otherwise.
	Phase Phase
	Port  int
	// Address is the address of the peer. It is "UNKNOWN" behind a ProxyCommand,
	// and empty if there was no connection.
	Address string
	// KeysOffered is the number of public keys that were offered. Servers close
	// the connection after too many (MaxAuthTries).
	KeysOffered int
	Err         error
}

// Peer returns the host that the error is about: Jump if it is set, and Host
// otherwise.
func (e *ConnError) Peer() string { return cmp.Or(e.Jump, e.Host) }

func (e *ConnError) Error() string {
	var b strings.Builder
	b.WriteString("connection to " + e.Host)
	if e.Jump != "" {
		b.WriteString(": jump host " + e.Jump)
	}
	if e.Port != 0 {
		fmt.Fprintf(&b, " port %d", e.Port)
	}
	if e.Phase != PhaseConnected {
		b.WriteString(": " + e.Phase.String())
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns Err.
func (e *ConnError) Unwrap() error { return e.Err }

// Timeout reports whether the cause is a time limit: ConnectTimeout, a deadline
// of the context, or one of the network. A ConnError is a net.Error.
func (e *ConnError) Timeout() bool {
	var denied *AuthError
	var cause net.Error
	switch {
	case errors.As(e.Err, &denied):
		return false
	case errors.Is(e.Err, ErrTimeout):
		return true
	}
	return errors.As(e.Err, &cause) && cause.Timeout()
}

// Temporary reports false. Use [Retryable].
func (e *ConnError) Temporary() bool { return false }

// ResolveError means that a host name has no address. Err is an error of package
// net.
type ResolveError struct {
	Host string
	Err  error
}

func (e *ResolveError) Error() string {
	return fmt.Sprintf("could not resolve hostname %s: %v", e.Host, e.Err)
}

func (e *ResolveError) Unwrap() error { return e.Err }

// AuthError means that the server accepted none of the credentials.
type AuthError struct {
	User, Host string
	// Methods are the methods that the server would still accept.
	Methods []string
	// Tried are the methods that were tried, each once, in order. Keys are the
	// SHA256 fingerprints of the public keys that were offered.
	Tried []string
	Keys  []string
	// Partial are the methods that succeeded, if the server requires several.
	Partial []string
	// Errs are the errors on this side that kept a credential from being used:
	// errors of the Prompter, of a Signer or the agent, and of key files. They may
	// be the real cause.
	Errs []error
}

func (e *AuthError) Error() string {
	text := fmt.Sprintf("user %s was not authenticated; the server accepts %q, tried %q", e.User, e.Methods, e.Tried)
	if len(e.Errs) > 0 {
		text += ": " + errors.Join(e.Errs...).Error()
	}
	return text
}

// Unwrap returns Errs.
func (e *AuthError) Unwrap() []error { return e.Errs }

// CallbackError is an error that a function of Options returned: Dial failed for
// that reason, not by a decision of the server. An error of HostKeyCallback
// matches hostkey.ErrVerification, too.
type CallbackError struct {
	Name string // the field of Options: "Password" or "HostKeyCallback"
	Err  error
}

func (e *CallbackError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns Err, and hostkey.ErrVerification for a refused host key.
func (e *CallbackError) Unwrap() []error {
	if e.Name == hostKeyCallback {
		return []error{e.Err, hostkey.ErrVerification}
	}
	return []error{e.Err}
}

const hostKeyCallback = "HostKeyCallback"

// connError returns a ConnError for this host with the cause err.
func (d *dialer) connError(phase Phase, err error) error {
	e := &ConnError{Host: d.target().cfg.HostName, Phase: phase, Port: d.cfg.Port, Err: err}
	if d.parent != nil {
		e.Jump = d.cfg.HostName
	}
	if d.watched != nil {
		e.Address = peerHost(d.watched)
	}
	if d.auth != nil && phase != PhaseConnected {
		e.KeysOffered = len(d.auth.offered)
	}
	return e
}

// contextError returns why ctx ended, or nil: a time limit of the dialer, or the
// error of the caller's context.
func contextError(ctx context.Context) error {
	switch err := context.Cause(ctx); err {
	case ErrTimeout, ErrMasterSilent:
		return err
	}
	return cause.Of(ctx)
}

// DisconnectError means that the server sent SSH_MSG_DISCONNECT (RFC 4253,
// section 11.1).
type DisconnectError struct {
	Reason  uint32
	Message string // from the server: may hold control characters
}

func (e *DisconnectError) Error() string {
	return fmt.Sprintf("disconnected by the server: %d: %s", e.Reason, e.Message)
}

// VersionError means that the server does not speak SSH-2. Its causes are in package
// transport.
type VersionError = transport.VersionError

// TargetError means that a destination, user name or host name is not valid.
type TargetError struct {
	What string // "destination", "user name" or "host name"
	Text string
}

func (e *TargetError) Error() string { return fmt.Sprintf("invalid %s %q", e.What, e.Text) }

// asDisconnect returns the disconnect message in an error of either transport,
// or nil.
func asDisconnect(err error) *DisconnectError {
	var own *transport.DisconnectError
	if errors.As(err, &own) {
		return &DisconnectError{Reason: own.Reason, Message: own.Message}
	}
	if reason, message, ok := xssh.Disconnect(err); ok {
		return &DisconnectError{Reason: reason, Message: message}
	}
	return nil
}

// Reasons of SSH_MSG_DISCONNECT (RFC 4253, section 11.1) that will not change by
// trying again.
const (
	disconnectHostNotAllowed   = 1
	disconnectProtocolError    = 2 // OpenSSH also uses it for too many failures
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
	case errors.As(conn.Err, &open): // refused by a jump host
		return open.Reason != ssh.Prohibited
	}
	return true
}

// passing reports whether the reason may be gone at the next attempt.
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
