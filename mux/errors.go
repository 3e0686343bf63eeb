package mux

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

// Errors of Connect.
var (
	// ErrNoMaster means that there is no socket at the path.
	ErrNoMaster = errors.New("mux: no control socket")

	// ErrStale means that no process listens on the socket (ECONNREFUSED).
	ErrStale = errors.New("mux: stale control socket")

	// ErrTimeout means that the master did not answer in time. It may still run,
	// for instance stopped by SIGSTOP, so its socket must not be removed.
	ErrTimeout = errors.New("mux: the master does not answer")

	// ErrMasterGone means that the master closed the connection before it
	// answered, which happens while a master exits.
	ErrMasterGone = errors.New("mux: the master closed the connection")

	// ErrPeer means that the process at the other end of the socket belongs to
	// another user, who is not root. Root accepts another user if the socket is
	// in a folder that only this user can write to.
	ErrPeer = errors.New("mux: the control socket belongs to another user")
)

// ErrExists means that Listen found something at the path. Listen does not change
// it.
var ErrExists = errors.New("mux: control socket already exists")

// ErrUnsupported means that the platform cannot pass descriptors, which only Unix
// can.
var ErrUnsupported = errors.New("mux: not supported on this platform")

// Causes of a Server's end, besides the end of its connection.
var (
	// ErrTerminated means that a client requested it (-O exit).
	ErrTerminated = errors.New("mux: terminated by a client")

	// ErrStopped means that a client (-O stop) or Stop ended the listening, and
	// that the last client has left.
	ErrStopped = errors.New("mux: stopped listening")

	// ErrIdle means that there was no client for ServerOptions.IdleTimeout.
	ErrIdle = errors.New("mux: idle")

	// ErrClosed means that Close was called. It matches net.ErrClosed.
	ErrClosed = cause.Closed("mux: closed")
)

// ErrNoExitStatus means that the master ended the session, or exited, without
// sending an exit status.
var ErrNoExitStatus = errors.New("mux: the session ended without an exit status")

// PathError means that a path is too long for a Unix socket address.
type PathError struct {
	Path   string
	Length int // of Path, in bytes
	Limit  int // the greatest length that is possible
}

func (e *PathError) Error() string {
	return fmt.Sprintf("mux: control path of %d bytes, at most %d fit: %q", e.Length, e.Limit, e.Path)
}

// VersionError means that the peer speaks another version of the protocol.
type VersionError struct{ Version uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("mux: unsupported multiplexing protocol version %d (expected %d)", e.Version, version)
}

// RefusedError means that the master refused a request.
type RefusedError struct {
	// Denied reports that the user or the policy of the master refused it
	// (PERMISSION_DENIED), as opposed to a failure (FAILURE).
	Denied bool
	// Reason is the text of the master, such as "Session open refused by peer".
	// It may contain control characters.
	Reason string
}

func (e *RefusedError) Error() string {
	if e.Denied {
		return fmt.Sprintf("mux: denied by the master: %q", e.Reason)
	}
	return fmt.Sprintf("mux: refused by the master: %q", e.Reason)
}

// ProtocolError means that the peer violated the protocol.
type ProtocolError struct{ Problem string }

func (e *ProtocolError) Error() string { return "mux: " + e.Problem }
