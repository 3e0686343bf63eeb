package agentfwd

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

var (
	// ErrNoAgent means that no agent is configured: the source is None, or the
	// environment variable that it names is not set. This is not worth a warning.
	ErrNoAgent = errors.New("agentfwd: no agent")

	// ErrRefused means that the agent answered SSH_AGENT_FAILURE. A client then
	// continues with the next key.
	ErrRefused = errors.New("agent refused operation")

	// ErrTimeout is the cause of an [UnavailableError] if the agent accepted a
	// connection or a request and did not answer in time.
	ErrTimeout = errors.New("agent did not answer in time")

	// ErrNotRequested means that a server opened an agent channel although
	// forwarding was not requested.
	ErrNotRequested = errors.New("server tried agent forwarding that was not requested")

	// ErrClosed means that the Conn or Forwarder was closed on this side. It
	// matches net.ErrClosed.
	ErrClosed = cause.Closed("agentfwd: closed")

	// ErrMalformed means that a message violates the protocol.
	ErrMalformed = errors.New("agentfwd: malformed message")

	// ErrTooLong means that a message is longer than MaxMessage.
	ErrTooLong = errors.New("agentfwd: message too long")

	// ErrNoBinding means that the key exchange was not observed, or that it does
	// not belong to the session.
	ErrNoBinding = errors.New("agentfwd: key exchange signature not known")

	// ErrSignatureType means that the agent signed with another algorithm than the
	// requested one. Agents that do not know RFC 8332 return SHA-1 signatures for
	// RSA keys.
	ErrSignatureType = errors.New("agent returned a signature of another type")
)

// UnavailableError means that a configured agent cannot be used: its socket is
// missing, no process listens, it hangs, or it has ended. This is worth one
// warning; authentication continues without the agent.
type UnavailableError struct {
	Address string // socket path or pipe name; empty for a Conn made by NewConn
	Op      string // "dial", "list", "sign", "add", "session-bind" or "forward"
	Err     error  // ErrTimeout, a net or io error, or ErrMalformed
}

// Error names the agent and the failed operation.
func (e *UnavailableError) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("agent unavailable: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("agent %s unavailable: %s: %v", e.Address, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// SignError means that a key did not sign, while other keys still may. Errors of
// the whole agent are UnavailableErrors.
type SignError struct {
	Fingerprint string // SHA256:...
	Comment     string // as the agent gave it, unescaped
	Err         error  // ErrRefused, or a *SignatureTypeError
}

// Error names the key by its fingerprint. It does not contain the comment.
func (e *SignError) Error() string {
	return fmt.Sprintf("signing with %s: %v", e.Fingerprint, e.Err)
}

// Unwrap returns the cause.
func (e *SignError) Unwrap() error { return e.Err }

// SignatureTypeError means that an agent signed with another algorithm than the
// requested one. It matches ErrSignatureType.
type SignatureTypeError struct {
	Got, Want string // Got is as the agent gave it, unescaped
}

// Error quotes both types.
func (e *SignatureTypeError) Error() string {
	return fmt.Sprintf("%v: %q, not %q", ErrSignatureType, e.Got, e.Want)
}

// Unwrap returns ErrSignatureType.
func (e *SignatureTypeError) Unwrap() error { return ErrSignatureType }
