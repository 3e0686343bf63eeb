package message

import (
	"errors"
	"fmt"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/mux"
)

// MasterUnusable prints why the master at path is not used.
func (p *Printer) MasterUnusable(path string, err error) {
	switch c := p; {
	case errors.Is(err, mux.ErrStale):
		c.Errorf("Control socket connect(%s): Connection refused", path)
	case errors.Is(err, mux.ErrTimeout):
		c.Errorf("Control socket %s: the master does not answer; connecting without it", path)
	case errors.Is(err, client.ErrMasterSilent):
		c.Errorf("Control socket %s: no answer through the master; connecting without it", path)
	case errors.Is(err, mux.ErrPeer):
		c.Errorf("Control socket %s: the master is another user's; connecting without it", path)
	default:
		c.Errorf("Control socket connect(%s): %s", path, Errno(err))
	}
}

// ControlError returns the message for a -O command whose master at path cannot
// be reached.
func ControlError(path string, err error) error {
	switch {
	case errors.Is(err, mux.ErrNoMaster):
		return Errorf("Control socket connect(%s): No such file or directory", path)
	case errors.Is(err, mux.ErrStale):
		return Errorf("Control socket connect(%s): Connection refused", path)
	case errors.Is(err, mux.ErrTimeout):
		return Errorf("Control socket connect(%s): the master does not answer", path)
	case errors.Is(err, mux.ErrMasterGone): // so does one of another user
		return Errorf("muxclient: master hello exchange failed")
	case errors.Is(err, mux.ErrPeer):
		return Errorf("Control socket connect(%s): the master is another user's", path)
	}
	var long *mux.PathError
	if errors.As(err, &long) {
		return PathTooLong(long)
	}
	return Errorf("Control socket connect(%s): %s", path, Errno(err))
}

// MasterLink returns the state of the master's connection for -O check, with a
// comma in front, or "" if nothing is known.
func MasterLink(status mux.MasterStatus) string {
	switch {
	case status.Attempt > 0 && status.Next > 0:
		return fmt.Sprintf(", not connected: attempt %d in %v", status.Attempt, Roughly(status.Next))
	case status.Attempt > 0:
		return fmt.Sprintf(", not connected: attempt %d is under way", status.Attempt)
	case status.RTT > 0:
		return fmt.Sprintf(", round trip %v", short(status.RTT))
	}
	return ""
}

// ListenError returns the message for a control socket that cannot be created at
// path.
func ListenError(path string, err error) error {
	var long *mux.PathError
	if errors.As(err, &long) {
		return PathTooLong(long)
	}
	return Errorf("unix_listener: cannot bind to path %s: %s", path, Errno(err))
}

// PathTooLong returns the message for a ControlPath longer than a socket's name
// can be.
func PathTooLong(e *mux.PathError) error {
	return Errorf("ControlPath too long ('%s' >= %d bytes)", e.Path, e.Limit+1)
}
