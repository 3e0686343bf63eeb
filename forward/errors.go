package forward

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// ErrClosed is the end of a forwarding, or of a wait for one, by Stop or Close.
var ErrClosed = errors.New("forward: closed")

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
	Err  error
}

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
