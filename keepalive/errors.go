package keepalive

import (
	"errors"
	"fmt"
	"time"
)

// ErrPeerLost is matched, by errors.Is, by every error that says that the
// peer fell silent. The details are in *PeerLostError.
var ErrPeerLost = errors.New("keepalive: peer lost")

// A PeerLostError is the verdict: nothing was heard of the peer for too long.
// Monitor.Err returns it, and so do the Read and Write calls of the watched
// Conn, and with them Wait of the ssh.Conn above it.
type PeerLostError struct {
	// LastHeard is when the peer gave its last sign of life.
	LastHeard time.Time
	// Silence is how long nothing had been heard when the verdict fell.
	Silence time.Duration
	// Missed is how many intervals in a row passed without a sign of life:
	// CountMax+1, unless Reason says that it fell sooner.
	Missed int
	// Reason says which rule the verdict was made by.
	Reason Reason
}

// A Reason is the rule by which a peer was declared lost.
type Reason int

const (
	// ReasonSilent is ssh's rule: more than CountMax intervals passed in
	// silence.
	ReasonSilent Reason = iota
	// ReasonMoved is the early verdict after a Hint: the address that the
	// connection comes from has left this machine, the peer is now reached
	// from another, and nothing was heard since.
	ReasonMoved
	// ReasonHandshake is SetPacketTimeout's: the handshake came to a halt.
	ReasonHandshake
)

// String names the reason in a word.
func (r Reason) String() string {
	switch r {
	case ReasonSilent:
		return "silent"
	case ReasonMoved:
		return "moved"
	case ReasonHandshake:
		return "handshake"
	}
	return fmt.Sprintf("Reason(%d)", int(r))
}

func (e *PeerLostError) Error() string {
	return fmt.Sprintf("keepalive: peer lost (%v): nothing heard for %v", e.Reason, e.Silence.Round(time.Millisecond))
}

// Is makes errors.Is(err, ErrPeerLost) true.
func (e *PeerLostError) Is(target error) bool { return target == ErrPeerLost }

// Timeout reports true: the error is a timeout in the sense of net.Error.
func (e *PeerLostError) Timeout() bool { return true }

// Temporary reports false: the connection does not come back.
func (e *PeerLostError) Temporary() bool { return false }
