package mux

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/internal/cause"
)

// What Connect finds instead of a master.
var (
	// ErrNoMaster: there is no socket at the path.
	ErrNoMaster = errors.New("mux: no control socket")

	// ErrStale: nobody listens on the socket (ECONNREFUSED); its master is gone.
	ErrStale = errors.New("mux: stale control socket")

	// ErrTimeout: the master does not answer in time. It may be alive, for
	// instance stopped, so its socket must stay.
	ErrTimeout = errors.New("mux: the master does not answer")

	// ErrMasterGone: the master closed the connection before it had answered,
	// as one does that is just ending.
	ErrMasterGone = errors.New("mux: the master closed the connection")

	// ErrPeer: the other side of the socket is neither the same user nor root;
	// or, for root, a user in whose folder the socket does not stand.
	ErrPeer = errors.New("mux: the control socket belongs to another user")
)

// ErrExists is why Listen fails when something is at the path already. What it
// is, is left alone.
var ErrExists = errors.New("mux: control socket already exists")

// ErrUnsupported is returned for what the platform cannot do: descriptors are
// passed on Unix alone.
var ErrUnsupported = errors.New("mux: not supported on this platform")

// How a Server ended, besides the end of the connection.
var (
	// ErrTerminated: a client asked for it (-O exit).
	ErrTerminated = errors.New("mux: terminated by a client")

	// ErrStopped: a client, or Stop, ended the listening (-O stop), and the
	// last client has left.
	ErrStopped = errors.New("mux: stopped listening")

	// ErrIdle: nobody was there for ServerOptions.IdleTimeout.
	ErrIdle = errors.New("mux: idle")

	// ErrClosed means that Close was called. It matches net.ErrClosed.
	ErrClosed = cause.Closed("mux: closed")
)

// ErrNoExitStatus is the end of a session whose master went away, or closed
// the session, without telling an exit status.

var ErrNoExitStatus = errors.New("mux: the session ended without an exit status")

// PathError is a path that does not fit into a Unix socket address.
type PathError struct {
	Path   string
	Length int // of Path, in bytes
	Limit  int // what fits
}

func (e *PathError) Error() string {
	return fmt.Sprintf("mux: control path of %d bytes, at most %d fit: %q", e.Length, e.Limit, e.Path)
}

// VersionError is a peer that speaks another version of the protocol.
type VersionError struct{ Version uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("mux: unsupported multiplexing protocol version %d (expected %d)", e.Version, version)
}

// RefusedError is the master's no.
type RefusedError struct {
	// Denied: a person, or the master's policy, said no (PERMISSION_DENIED).
	// Otherwise it failed (FAILURE).
	Denied bool
	// Reason is the master's words, such as "Session open refused by peer".
	// They come from another process: not for a terminal as they are.
	Reason string
}

func (e *RefusedError) Error() string {
	if e.Denied {
		return fmt.Sprintf("mux: denied by the master: %q", e.Reason)
	}
	return fmt.Sprintf("mux: refused by the master: %q", e.Reason)
}

// ProtocolError is a message that the protocol does not allow there.
type ProtocolError struct{ Problem string }

func (e *ProtocolError) Error() string { return "mux: " + e.Problem }
