package keepalive

import (
	"errors"
	"fmt"
	"time"
)

// ErrPeerLost is matched, with errors.Is, by every error about a silent peer. The
// details are in *PeerLostError.
var ErrPeerLost = errors.New("keepalive: peer lost")

// A PeerLostError means that the peer was silent for too long. Monitor.Err returns
// it, as do Read and Write of the watched Conn, and so Wait of the ssh.Conn above it.
type PeerLostError struct {
	// LastHeard is the time of the last sign of life.
	LastHeard time.Time
	// Silence is the time from then until the peer was given up.
	Silence time.Duration
	// Missed is the number of consecutive intervals without a sign of life. It is
	// CountMax+1 for ReasonSilent.
	Missed int
	// Reason is the rule that was applied.
	Reason Reason
}

// A Reason is the rule by which a peer was given up.
type Reason int

const (
	// ReasonSilent is ssh's rule: more than CountMax intervals passed without a
	// sign of life.
	ReasonSilent Reason = iota
	// ReasonMoved is the early decision after a Hint: this machine no longer has
	// the local address of the connection, the peer is now reached from another
	// address, and there was no sign of life since.
	ReasonMoved
	// ReasonHandshake is the rule of SetPacketTimeout: the handshake stalled.
	ReasonHandshake
)

// String returns the reason in one word.
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

// Is reports whether target is ErrPeerLost.
func (e *PeerLostError) Is(target error) bool { return target == ErrPeerLost }

// Timeout reports true, as for a timeout of package net.
func (e *PeerLostError) Timeout() bool { return true }

// Temporary reports false, since the connection is closed.
func (e *PeerLostError) Temporary() bool { return false }
