package keepalive

import (
	"fmt"
	"time"
)

// A State is the state of a Monitor.
type State int

const (
	// StateAlive means that there was a sign of life within the last interval, or
	// that a request was sent less than an interval ago.
	StateAlive State = iota
	// StateSilent means that the peer has not answered a request for an interval or
	// more (for 2 s after a Hint). It is not lost yet.
	StateSilent
	// StateLost means that the peer is lost and the connection is closed.
	StateLost
	// StateEnded means that the Monitor was stopped, or that the connection ended.
	StateEnded
)

// String returns the state in one word.
func (s State) String() string {
	switch s {
	case StateAlive:
		return "alive"
	case StateSilent:
		return "silent"
	case StateLost:
		return "lost"
	case StateEnded:
		return "ended"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Stats are the statistics of a Monitor.
type Stats struct {
	State State
	// LastHeard is the time of the last sign of life. The start of the Monitor
	// counts as one.
	LastHeard time.Time
	// RTT, SmoothedRTT and WorstRTT are the times from request to answer: the last
	// one, the mean (RFC 6298, with an eighth of each new one), and the longest.
	// They are zero before the first answer. They include the time that a request
	// waits behind outgoing data and behind another caller's request.
	RTT, SmoothedRTT, WorstRTT time.Duration
	// ProbesSent is the number of requests, and ProbesMissed the number of intervals
	// at whose end a request had no answer.
	ProbesSent, ProbesMissed uint64
	// Missed is the number of consecutive intervals without a sign of life, which is
	// compared with CountMax.
	Missed int
	// Outstanding reports whether a request waits for its answer, or to be sent.
	Outstanding bool
	// BytesIn and BytesOut are those of the watched Conn, or zero.
	BytesIn, BytesOut uint64
}
