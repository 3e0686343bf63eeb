package keepalive

import (
	"fmt"
	"time"
)

// A State is where a Monitor stands.
type State int

const (
	// StateAlive: the peer was heard within the last interval, or was asked
	// less than an interval ago.
	StateAlive State = iota
	// StateSilent: the peer has not answered a request for an interval or
	// more (for 2 s after a Hint). It is not lost yet.
	StateSilent
	// StateLost: the verdict has fallen and the connection is closed.
	StateLost
	// StateEnded: the Monitor was stopped, or the connection ended otherwise.
	StateEnded
)

// String names the state in a word.
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

// Stats is a snapshot of what a Monitor knows.
type Stats struct {
	State State
	// LastHeard is the time of the last sign of life; the start of the
	// Monitor counts as one.
	LastHeard time.Time
	// RTT, SmoothedRTT and WorstRTT are from request to answer: the last,
	// the mean as in RFC 6298 (an eighth of each new one), and the longest.
	// They are zero before the first answer. The time includes what the
	// request waited behind data of our own, and behind another caller's
	// request, since a connection has one outstanding at a time.
	RTT, SmoothedRTT, WorstRTT time.Duration
	// ProbesSent counts the requests begun, ProbesMissed the intervals at
	// whose end a request was still without an answer.
	ProbesSent, ProbesMissed uint64
	// Missed is the count that is held against CountMax: the intervals in a
	// row without a sign of life.
	Missed int
	// Outstanding says that a request is out, or waits to go out.
	Outstanding bool
	// BytesIn and BytesOut passed the watched Conn, if there is one.
	BytesIn, BytesOut uint64
}
