package forward

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
	"golang.org/x/crypto/ssh"
)

// ErrClosed means that Stop or Close ended a forwarding, or a wait for one. It matches
// net.ErrClosed.
var ErrClosed = cause.Closed("forward: closed")

// ErrConnectionLost means that a forwarding or a forwarded connection ended because
// the SSH connection ended. Errors that match it also wrap the error of the
// connection's Wait.
var ErrConnectionLost = errors.New("forward: the SSH connection ended")

// ErrUnresponsive means that the server did not confirm the end of a forwarding in
// time. On this side the forwarding has ended.
var ErrUnresponsive = errors.New("forward: the server does not answer")

// OpenError means that the server refused to open a channel: the target refused the
// connection, cannot be reached, or is not permitted.
type OpenError struct {
	Target  Addr
	Reason  ssh.RejectionReason // RFC 4254 section 5.1
	Message string              // the server's text, which may contain control characters
	err     error
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("forward: open %s: %s: %q", e.Target, e.Reason, e.Message)
}

// Unwrap returns the *ssh.OpenChannelError.
func (e *OpenError) Unwrap() error { return e.err }

// ListenError means that listening on a local address failed. It wraps the error of
// the system, such as syscall.EADDRINUSE.
type ListenError struct {
	Addr Addr
	// Binds are the errors of the addresses that Addr stands for. It is empty if
	// none was tried.
	Binds []BindError
	// Unlink is the error of removing an existing socket (Options.UnlinkSocket).
	// Listening was tried after it.
	Unlink error
	Err    error
}

// BindError is the error of one of the addresses that a listening Addr stands for.
type BindError struct {
	Host string // a literal address
	Port int
	Last bool // whether it was the last address that was tried
	Err  error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("forward: bind [%s]:%d: %v", e.Host, e.Port, e.Err)
}
func (e *BindError) Unwrap() error { return e.Err }

// ConnFailure describes a connection that did not reach its target.
type ConnFailure struct {
	Spec Spec
	// Channel is the channel number, which is the lowest free one, as in OpenSSH:
	// see Forwarder.Number.
	Channel int
	Target  Addr // zero if it is not known
	// Err is an *OpenError, ErrNotPermitted, an error of package net, or an error
	// of the SOCKS negotiation.
	Err error
}

// ErrNotPermitted means that PermitRemoteOpen does not allow the target.
var ErrNotPermitted = errors.New("forward: not permitted by PermitRemoteOpen")

func (e *ListenError) Error() string { return fmt.Sprintf("forward: listen on %s: %v", e.Addr, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// RefusedError means that the server refused to listen. The protocol has no reason for
// it: the port may be in use, or forwarding may not be allowed.
type RefusedError struct {
	Addr Addr // the requested address
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("forward: the server refuses to listen on %s", e.Addr)
}
