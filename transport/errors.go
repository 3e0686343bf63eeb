package transport

import (
	"errors"
	"fmt"
)

// ErrClosed is the error of a connection that was closed on this side.
var ErrClosed = errors.New("transport: connection closed")

// ErrCorrupted is the error of a packet whose authentication code is wrong. What
// was delivered before it is genuine.
var ErrCorrupted = errors.New("transport: message authentication failed")

// ErrTooManyQueued is the error of a connection whose peer asked for more answers
// during a key exchange than are kept.
var ErrTooManyQueued = errors.New("transport: too many packets queued during a key exchange")

// A DisconnectError is SSH_MSG_DISCONNECT of the peer (RFC 4253, section 11.1).
type DisconnectError struct {
	Reason  uint32
	Message string // as the peer sent it, which may contain any bytes
}

func (e *DisconnectError) Error() string {
	return fmt.Sprintf("transport: disconnected by the peer: reason %d: %q", e.Reason, e.Message)
}

// A ProtocolError is the error of a message that the protocol does not allow
// where it came.
type ProtocolError struct {
	What string
}

func (e *ProtocolError) Error() string { return "transport: " + e.What }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{What: fmt.Sprintf(format, args...)}
}

// A HostKeyError is the error of a host key that could not be used or that
// Config.HostKey refused, which Err then is.
type HostKeyError struct {
	Algorithm string // as negotiated
	Err       error
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("transport: host key of algorithm %s: %v", e.Algorithm, e.Err)
}

// Unwrap returns the cause.
func (e *HostKeyError) Unwrap() error { return e.Err }

// A VersionError is the error of a server that does not speak SSH-2.
type VersionError struct {
	Line  string // the server's identification, which may contain control characters
	Major int    // zero if the line has no version number
	// Err is set if there was no identification string: ErrLineTooLong or
	// ErrLineInvalid, which are about Line, or ErrTooManyLines.
	Err error
}

func (e *VersionError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("no server of SSH-2: %v", e.Err)
	}
	return fmt.Sprintf("no server of SSH-2: %q", e.Line)
}

// Unwrap returns Err.
func (e *VersionError) Unwrap() error { return e.Err }

// Causes of a [VersionError] without an identification.
var (
	ErrLineTooLong  = errors.New("a line before the identification is too long")
	ErrLineInvalid  = errors.New("a line before the identification has invalid characters")
	ErrTooManyLines = errors.New("too many lines before the identification")
)
