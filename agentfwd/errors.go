package agentfwd

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

var (
	// ErrNoAgent says that no agent is configured: the source is None, or the
	// environment variable that it names is not set. It is no cause for a
	// warning.
	ErrNoAgent = errors.New("agentfwd: no agent")

	// ErrRefused is the agent's SSH_AGENT_FAILURE: it is there, it understood,
	// and it said no. A client that meets it goes on to the next key.
	ErrRefused = errors.New("agent refused operation")

	// ErrTimeout is the cause of an [UnavailableError] of an agent that
	// accepted a connection or a request and then did not answer in time.
	ErrTimeout = errors.New("agent did not answer in time")

	// ErrNotRequested says that a server opened an agent channel though
	// forwarding was not asked for, which an honest server does not do.
	ErrNotRequested = errors.New("server tried agent forwarding that was not requested")

	// ErrClosed means that the Conn or Forwarder was closed on this side. It
	// matches net.ErrClosed.
	ErrClosed = cause.Closed("agentfwd: closed")

	// ErrMalformed says that a message does not follow the protocol.
	ErrMalformed = errors.New("agentfwd: malformed message")

	// ErrTooLong says that a message is longer than MaxMessage.
	ErrTooLong = errors.New("agentfwd: message too long")

	// ErrNoBinding says that the key exchange was not seen, or that what was
	// seen of it does not belong to the session.
	ErrNoBinding = errors.New("agentfwd: key exchange signature not known")

	// ErrSignatureType says that the agent signed with another algorithm than
	// it was asked to: agents of before RFC 8332 answer SHA-1 RSA signatures.
	ErrSignatureType = errors.New("agent returned a signature of another type")
)

// UnavailableError says that an agent is configured but cannot be used: its
// socket is missing, nobody listens, it hangs, or it went away. It is worth
// one warning; authentication goes on without the agent.
type UnavailableError struct {
	Address string // socket path or pipe name; empty for a Conn made by NewConn
	Op      string // "dial", "list", "sign", "add", "session-bind" or "forward"
	Err     error  // ErrTimeout, a net or io error, or ErrMalformed
}

// Error says which agent failed at what.
func (e *UnavailableError) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("agent unavailable: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("agent %s unavailable: %s: %v", e.Address, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// SignError says that one key gave no signature while others still may: the
// caller skips that key. Errors of the agent as a whole are UnavailableErrors.
type SignError struct {
	Fingerprint string // SHA256:...
	Comment     string // as the agent gave it, unescaped
	Err         error  // ErrRefused, or a *SignatureTypeError
}

// Error names the key by its fingerprint; comments are left to the caller.
func (e *SignError) Error() string {
	return fmt.Sprintf("signing with %s: %v", e.Fingerprint, e.Err)
}

// Unwrap returns the cause.
func (e *SignError) Unwrap() error { return e.Err }

// SignatureTypeError says which signature an agent gave in place of the one it
// was asked for. It matches ErrSignatureType.
type SignatureTypeError struct {
	Got, Want string // Got is as the agent gave it, unescaped
}

// Error quotes both types.
func (e *SignatureTypeError) Error() string {
	return fmt.Sprintf("%v: %q, not %q", ErrSignatureType, e.Got, e.Want)
}

// Unwrap returns ErrSignatureType.
func (e *SignatureTypeError) Unwrap() error { return ErrSignatureType }
