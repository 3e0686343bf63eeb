package mux

import (
	"context"
	"errors"
	"io"

	"github.com/gossh-project/gossh/session"
)

// Server is a master.
type Server struct{}

// Listen makes the control socket at path, mode 0600, and serves conn on it.
// Nothing that is at the path is followed or replaced: the error is then
// ErrExists. A path that is too long is a *PathError.
//
// The end of ctx ends the server, as Close does.
func Listen(ctx context.Context, path string, conn Connection, opts ServerOptions) (*Server, error) {
	return nil, errors.New("TODO")
}

// Path is where the socket was made.
func (s *Server) Path() string { return "" }

// Resize asks the terminals of all sessions for their size and passes on what
// has changed. It is to be called at SIGWINCH, which clients relay.
func (s *Server) Resize() {}

// Hold keeps the server from being idle until release is called.
func (s *Server) Hold() (release func()) { return func() {} }

// Stop removes the socket. Clients that are there, or were about to come in,
// are served to their end, at which the server ends with ErrStopped.
func (s *Server) Stop() {}

// Done is closed when the server no longer listens and no client is left.
func (s *Server) Done() <-chan struct{} { return nil }

// Err tells, after Done, why: ErrTerminated, ErrStopped, ErrIdle, ErrClosed,
// the cause of the context of Listen, or the error of the connection.
func (s *Server) Err() error { return nil }

// Close removes the socket, ends all sessions and waits until they are gone.
func (s *Server) Close() error { return nil }

// Sessions are the sessions of passengers, in the order in which they came.
func (s *Server) Sessions() []*ServerSession { return nil }

// ServerSession is a passenger's session in the master.
type ServerSession struct{}

// ID is the number that the client was told.
func (s *ServerSession) ID() uint32 { return 0 }

// Request is what the client asked for.
func (s *ServerSession) Request() SessionRequest { return SessionRequest{} }

// Command is the session on the connection; nil for a stdio forwarding.
func (s *ServerSession) Command() *session.Cmd { return nil }

// Stderr writes to the client's standard error.
func (s *ServerSession) Stderr() io.Writer { return io.Discard }

// Close ends the session: the client exits with 255.
func (s *ServerSession) Close() error { return nil }
