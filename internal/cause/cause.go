// Package cause returns the errors of contexts that have ended, and of closed
// connections.
package cause

import (
	"context"
	"net"
)

// Of returns nil if ctx has not ended. Otherwise it returns an error with the
// text of context.Cause(ctx) that matches both that cause and ctx.Err(), so that
// callers may test for context.Canceled and context.DeadlineExceeded, and for a
// cause of their own.
func Of(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	if err == nil || why == err {
		return err
	}
	return &ended{err: err, cause: why}
}

// ended is the error of a context with a cause of its own.
type ended struct{ err, cause error }

func (e *ended) Error() string { return e.cause.Error() }

// Unwrap returns the cause and the context's error.
func (e *ended) Unwrap() []error { return []error{e.cause, e.err} }

// Closed returns an error for use after a Close on this side. It matches
// net.ErrClosed.
func Closed(text string) error { return &closed{text} }

type closed struct{ text string }

func (e *closed) Error() string { return e.text }

// Unwrap returns net.ErrClosed.
func (e *closed) Unwrap() error { return net.ErrClosed }
