package forward

import "net"

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
