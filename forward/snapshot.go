package forward

import (
	"net"
	"sync/atomic"
	"time"
)

// Snapshot is the state of one forwarding at one moment.
type Snapshot struct {
	Spec     Spec
	Addrs    []net.Addr
	Stopped  bool   // it no longer listens and lives for its connections
	Accepted uint64 // connections since the start
	Failed   uint64 // of these, the ones that never reached their target
	Conns    []ConnSnapshot
}

// ConnSnapshot is the state of one forwarded connection.
type ConnSnapshot struct {
	ID     uint64
	Number int      // of the channel, see Forwarder.Number; 0 for a StdioForward
	Origin string   // who connected
	From   net.Addr // Origin, and the address that was connected to; nil for a
	Local  net.Addr // StdioForward
	Target string   // where it goes; "" until a SOCKS client has said so
	Open   bool     // the target has answered
	Since  time.Time
	In     int64 // bytes from the SSH connection
	Out    int64 // bytes into the SSH connection
}

// link is the bookkeeping of one forwarded connection.
type link struct {
	id      uint64
	number  int // see ConnFailure.Channel
	origin  string
	from    net.Addr // origin, and what was connected to; nil for a StdioForward
	local   net.Addr
	since   time.Time
	target  atomic.Pointer[Addr]
	open    atomic.Bool
	in, out atomic.Int64
}

func (l *link) snapshot() ConnSnapshot {
	s := ConnSnapshot{ID: l.id, Number: l.number, Origin: l.origin, From: l.from, Local: l.local, Open: l.open.Load(), Since: l.since,
		In: l.in.Load(), Out: l.out.Load()}
	if t := l.target.Load(); t != nil {
		s.Target = t.String()
	}
	return s
}
