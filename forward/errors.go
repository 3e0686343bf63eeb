package forward

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
	"golang.org/x/crypto/ssh"
)

// ErrClosed means that a forwarding, or a wait for one, was ended by Stop or Close.
// It matches net.ErrClosed.
var ErrClosed = cause.Closed("forward: closed")

// ErrConnectionLost is the end of a forwarding or of a forwarded connection
// because the SSH connection under it ended. What it wraps is what Wait of
// that connection returned.
var ErrConnectionLost = errors.New("forward: the SSH connection ended")

// ErrUnresponsive is a server that did not agree in time to the end of a
// forwarding. On this side it has ended.
var ErrUnresponsive = errors.New("forward: the server does not answer")

// OpenError is a channel that the server would not open: the target refused,
// could not be reached, or is not permitted.
type OpenError struct {
	Target  Addr
	Reason  ssh.RejectionReason // RFC 4254 section 5.1
	Message string              // the server's words; from the network, so not for a terminal as they are
	err     error
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("forward: open %s: %s: %q", e.Target, e.Reason, e.Message)
}

// Unwrap returns the *ssh.OpenChannelError.
func (e *OpenError) Unwrap() error { return e.err }

// ListenError is a local address on which it was not possible to listen. It
// wraps the system's error, for instance syscall.EADDRINUSE.
type ListenError struct {
	Addr Addr
	// Binds are the addresses that Addr stands for, each with why it could not
	// be had; empty if it did not come to that.
	Binds []BindError
	// Unlink is why a socket in the way could not be removed
	// (Options.UnlinkSocket); listening was tried all the same.
	Unlink error
	Err    error
}

// BindError is one of the addresses that a listening Addr stands for, which
// could not be had.
type BindError struct {
	Host string // a literal address
	Port int
	Last bool // of the addresses that were tried
	Err  error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("forward: bind [%s]:%d: %v", e.Host, e.Port, e.Err)
}
func (e *BindError) Unwrap() error { return e.Err }

// ConnFailure is a connection that never reached its target.
type ConnFailure struct {
	Spec Spec
	// Channel numbers what goes over the SSH connection, with the lowest number
	// that is free, as OpenSSH does: see Forwarder.Number.
	Channel int
	Target  Addr // zero if it was not known yet
	// Err is an *OpenError, ErrNotPermitted, an error of package net, or one of
	// the SOCKS negotiation.
	Err error
}

// ErrNotPermitted is a target that PermitRemoteOpen does not allow.
var ErrNotPermitted = errors.New("forward: not permitted by PermitRemoteOpen")

func (e *ListenError) Error() string { return fmt.Sprintf("forward: listen on %s: %v", e.Addr, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// RefusedError is a server that will not listen for us. The protocol carries no
// reason: the port may be taken, or forwarding may not be allowed.
type RefusedError struct {
	Addr Addr // as it was asked for
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("forward: the server refuses to listen on %s", e.Addr)
}
