package x11fwd

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

var (
	// ErrNoDisplay means that Display is empty.
	ErrNoDisplay = errors.New("x11fwd: no display")
	// ErrNotGenerated means that xauth generated no cookie for untrusted
	// forwarding. No other cookie is used, since it would be trusted.
	ErrNotGenerated = errors.New("x11fwd: xauth key data not generated")

	// ErrNoCookie is a warning: xauth has no cookie for the display, so the X
	// server decides by other means of access control.
	ErrNoCookie = errors.New("x11fwd: no xauth data")
	// ErrExpired is a warning: a connection was refused because Timeout has passed.
	ErrExpired = errors.New("x11fwd: untrusted forwarding has expired")
	// ErrWrongAuth is a warning: a connection was refused because it did not have
	// the cookie of the session.
	ErrWrongAuth = errors.New("x11fwd: wrong authentication")

	// ErrClosed means that Close ended the connections. It matches net.ErrClosed.
	ErrClosed = cause.Closed("x11fwd: closed")
)

// DisplayError means that the name of the display is not valid.
type DisplayError struct {
	Display string
	Reason  string // "invalid character", "no colon", "bad number" or "bad cookie"
}

func (e *DisplayError) Error() string {
	return fmt.Sprintf("x11fwd: display %q: %s", e.Display, e.Reason)
}

// ConnectError is a warning: the connection to the local X server failed.
type ConnectError struct {
	Network, Address string // of the last attempt
	Err              error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("x11fwd: connect to %s: %v", e.Address, e.Err)
}
func (e *ConnectError) Unwrap() error { return e.Err }
