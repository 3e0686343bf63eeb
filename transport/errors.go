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

// A VersionError is the error of a peer that does not identify itself as SSH 2.0
// does (RFC 4253, section 4.2).
type VersionError struct {
	Line string // the last line, as the peer sent it
	Err  error
}

func (e *VersionError) Error() string { return fmt.Sprintf("transport: identification: %v", e.Err) }

// Unwrap returns the cause.
func (e *VersionError) Unwrap() error { return e.Err }

// Causes of a [VersionError].
var (
	ErrVersion      = errors.New("protocol version is not 2.0")
	ErrLineTooLong  = errors.New("line before the identification is too long")
	ErrLineInvalid  = errors.New("line before the identification has invalid characters")
	ErrTooManyLines = errors.New("too many lines before the identification")
)
