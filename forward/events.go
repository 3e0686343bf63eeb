package forward

import (
	"net"
	"sync/atomic"
	"time"
)

// Event is an event of a forwarding: [ListenerOpened], [ListenerClosed], [ConnStarted],
// [ConnConnected] or [ConnEnded]. See Options.Notify.
type Event interface{ event() }

// ListenerOpened means that a local listener accepts connections. A Spec has one for
// each address that it stands for.
type ListenerOpened struct {
	Spec    Spec
	Addr    net.Addr
	Channel int
}

// ListenerClosed means that a local listener was closed.
type ListenerClosed struct {
	Spec    Spec
	Addr    net.Addr
	Channel int
	Open    int // the count of numbers in use, this one included: see Forwarder.Number
}

// ConnStarted means that a connection was accepted: locally, or on the server for a
// Remote. Its target is not connected yet.
type ConnStarted struct {
	Spec    Spec
	Channel int
	Origin  net.Addr
	Local   net.Addr // the address that was connected to; for a Remote, as the server sent it
}

// ConnConnected means that a connection has reached its target.
type ConnConnected struct {
	Spec    Spec
	Channel int
	Target  Addr
}

// ConnEnded means that a connection has ended, whether or not it reached its target.
type ConnEnded struct {
	Spec    Spec
	Channel int
	Open    int // numbers in use, this one included: see Forwarder.Number
	Target  Addr
	Origin  net.Addr
	Local   net.Addr
}

func (ListenerOpened) event() {}
func (ListenerClosed) event() {}
func (ConnStarted) event()    {}
func (ConnConnected) event()  {}
func (ConnEnded) event()      {}

// notify calls Notify, if it is set.
func (o Options) notify(e Event) {
	if o.Notify != nil {
		o.Notify(e)
	}
}

// Number reserves the lowest free channel number, as OpenSSH numbers its channels. It
// is for channels that are no forwardings, such as sessions; local listeners and
// forwarded connections have numbers of the same sequence. free releases the number,
// and returns how many were in use before. It must be called once.
func (f *Forwarder) Number() (number int, free func() (open int)) {
	number = f.numbers.take()
	return number, func() int { return f.numbers.give(number) }
}

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
