package x11fwd

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

var (
	// ErrNoDisplay is an empty Display: there is no X server here.
	ErrNoDisplay = errors.New("x11fwd: no display")
	// ErrNotGenerated: xauth has made no cookie for untrusted forwarding. It
	// never falls back to another one: that would be trusted.
	ErrNotGenerated = errors.New("x11fwd: xauth key data not generated")

	// ErrNoCookie is a warning: xauth knows no cookie for the display, so that
	// the X server's other means of access control decide.
	ErrNoCookie = errors.New("x11fwd: no xauth data")
	// ErrExpired is a warning: a connection came after Timeout and was refused.
	ErrExpired = errors.New("x11fwd: untrusted forwarding has expired")
	// ErrWrongAuth is a warning: a connection did not show the cookie that the
	// session was given, and was refused.
	ErrWrongAuth = errors.New("x11fwd: wrong authentication")

	// ErrClosed means that connections were ended by Close. It matches
	// net.ErrClosed.
	ErrClosed = cause.Closed("x11fwd: closed")
)

// DisplayError is a display that cannot be used as it is named.
type DisplayError struct {
	Display string
	Reason  string // "invalid character", "no colon", "bad number" or "bad cookie"
}

func (e *DisplayError) Error() string {
	return fmt.Sprintf("x11fwd: display %q: %s", e.Display, e.Reason)
}

// ConnectError is a warning: the local X server could not be reached.
type ConnectError struct {
	Network, Address string // of the last attempt
	Err              error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("x11fwd: connect to %s: %v", e.Address, e.Err)
}
func (e *ConnectError) Unwrap() error { return e.Err }
