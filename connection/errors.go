package connection

import (
	"errors"
	"fmt"
)

// ErrClosed is the cause of a connection that was closed on this side.
var ErrClosed = errors.New("connection: closed")

// A ProtocolError is the error of a message that RFC 4254 does not allow where it
// came. It ends the connection.
type ProtocolError struct {
	What string
}

func (e *ProtocolError) Error() string { return "connection: " + e.What }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{What: fmt.Sprintf(format, args...)}
}
