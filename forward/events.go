package forward

import "net"

// Event is something that happened to a forwarding: one of [ListenerOpened],
// [ListenerClosed], [ConnStarted], [ConnConnected] and [ConnEnded]. See
// Options.Notify.
type Event interface{ event() }

// ListenerOpened reports a local listener that takes connections from now on.
// A Spec has one for each address that it stands for.
type ListenerOpened struct {
	Spec    Spec
	Addr    net.Addr
	Channel int
}

// ListenerClosed reports the end of a local listener.
type ListenerClosed struct {
	Spec    Spec
	Addr    net.Addr
	Channel int
	Open    int // numbers in use, this one included: see Forwarder.Number
}

// ConnStarted reports a connection that was accepted: here, or on the server
// for a Remote. Its target is not connected yet.
type ConnStarted struct {
	Spec    Spec
	Channel int
	Origin  net.Addr
	Local   net.Addr // that was connected to; the server's words for a Remote
}

// ConnConnected reports a connection that has reached its target.
type ConnConnected struct {
	Spec    Spec
	Channel int
	Target  Addr
}

// ConnEnded reports the end of a connection, whether it reached its target or
// not.
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

// notify reports an event, if anybody listens.
func (o Options) notify(e Event) {
	if o.Notify != nil {
		o.Notify(e)
	}
}

// Number reserves the lowest channel number that is free, as OpenSSH numbers
// its channels: for a channel of the connection that no forwarding made, such
// as a session. Local listeners and forwarded connections have numbers of the
// same sequence. Free gives it back, and returns how many were in use until
// then; it must be called once.
func (f *Forwarder) Number() (number int, free func() (open int)) {
	number = f.numbers.take()
	return number, func() int { return f.numbers.give(number) }
}
