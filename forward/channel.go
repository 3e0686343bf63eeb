package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"
)

// Channel types of RFC 4254 section 7 and of OpenSSH's PROTOCOL section 2.4.
const (
	typeDirectTCP       = "direct-tcpip"
	typeDirectSocket    = "direct-streamlocal@openssh.com"
	typeForwardedTCP    = "forwarded-tcpip"
	typeForwardedSocket = "forwarded-streamlocal@openssh.com"
)

// tcpPayload is the body of direct-tcpip and of forwarded-tcpip.
type tcpPayload struct {
	Host       string // to connect to, or that was connected to
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// socketPayload is the body of direct-streamlocal@openssh.com; the reserved
// fields are sent empty.
type socketPayload struct {
	Path      string
	Reserved  string
	Reserved2 uint32
}

// forwardedSocketPayload is the body of forwarded-streamlocal@openssh.com.
type forwardedSocketPayload struct {
	Path     string
	Reserved string
}

// noOrigin is the originator where there is none: OpenSSH gives this for -W,
// because some servers check that it looks real. For a Unix-domain client
// OpenSSH gives an empty address and port 0, which those would refuse.
var noOrigin = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 65535)

// originOf is the address from which a local client connected.
func originOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		if ap := tcp.AddrPort(); ap.IsValid() {
			return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		}
	}
	return noOrigin
}

// openChannel asks the server to connect to target and returns the channel.
//
// golang.org/x/crypto/ssh cannot take an open back, so when ctx ends first the
// asking goes on in its goroutine, and a channel that still comes is closed.
func (f *Forwarder) openChannel(ctx context.Context, target Addr, origin netip.AddrPort) (*stream, error) {
	o := &opening{
		forwarder: f,
		target:    target,
		name:      typeDirectTCP,
		result:    make(chan opened),
		abandoned: make(chan struct{}),
	}
	if target.Socket != "" {
		o.name = typeDirectSocket
		o.payload = ssh.Marshal(&socketPayload{Path: target.Socket})
	} else {
		o.payload = ssh.Marshal(&tcpPayload{target.Host, uint32(target.Port),
			origin.Addr().String(), uint32(origin.Port())})
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	go o.run()
	select {
	case got := <-o.result:
		return got.stream, got.err
	case <-ctx.Done():
		close(o.abandoned)
		return nil, context.Cause(ctx)
	case <-f.lost:
		// x/crypto never answers an open that crosses the connection's end.
		close(o.abandoned)
		return nil, context.Cause(f.ctx)
	}
}

// opening is one channel that was asked for.
type opening struct {
	forwarder *Forwarder
	target    Addr
	name      string
	payload   []byte
	result    chan opened
	abandoned chan struct{} // closed when nobody waits any more
}

type opened struct {
	stream *stream
	err    error
}

// run asks. It ends when the server has answered or the SSH connection has ended.
func (o *opening) run() {
	ch, reqs, err := o.forwarder.conn.OpenChannel(o.name, o.payload)
	var got opened
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(err, &refused):
		got.err = &OpenError{Target: o.target, Reason: refused.Reason, Message: refused.Message, err: refused}
	case err != nil:
		got.err = o.forwarder.lostBy(err)
	default:
		got.stream = o.forwarder.newStream(ch, reqs, nil)
	}
	select {
	case o.result <- got:
	case <-o.abandoned:
		if got.stream != nil {
			got.stream.Close()
		}
	}
}

// stream is an open channel whose requests are answered and whose extended data
// is discarded.
type stream struct {
	ch        ssh.Channel
	forwarder *Forwarder
	requests  <-chan *ssh.Request
	gone      chan struct{} // closed when the server has closed the channel, or the connection ended
	ended     func()        // called before gone is closed; may be nil
}

func (f *Forwarder) newStream(ch ssh.Channel, requests <-chan *ssh.Request, ended func()) *stream {
	s := &stream{ch: ch, forwarder: f, requests: requests, gone: make(chan struct{}), ended: ended}
	go s.refuseRequests()
	go s.discardExtended()
	return s
}

// discardExtended drops the extended data of the channel. Forwarded connections
// have none, but a server can send it, and unread it would take up memory and
// the window that the data itself needs. It ends with the channel's data.
func (s *stream) discardExtended() {
	io.Copy(io.Discard, s.ch.Stderr())
}

// refuseRequests answers channel requests, of which forwarded connections know
// none. It ends when the server closes the channel or the connection ends.
func (s *stream) refuseRequests() {
	ssh.DiscardRequests(s.requests)
	if s.ended != nil {
		s.ended()
	}
	close(s.gone)
}

// lossGrace is how long Read waits to hear that the SSH connection has ended.
const lossGrace = 10 * time.Millisecond

// Read reads from the channel. The end of the data is io.EOF only if it was the
// server that ended it, and ErrConnectionLost if the SSH connection broke.
//
// x/crypto says io.EOF to both. What breaks below it is known before, if the
// Conn tells (see transport). Otherwise they differ in that a broken connection
// closes the channel in the same moment, or nearly so, and Wait returns soon
// after: so only an end that comes with a close waits for an explanation.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ch.Read(p)
	if n > 0 || err == nil {
		// With data there may be the failure to open the window again. What
		// else has been received comes first.
		return n, nil
	}
	if err != io.EOF {
		return 0, s.forwarder.lostBy(err)
	}
	select {
	case <-s.forwarder.transportEnded:
		<-s.forwarder.lost
	default:
	}
	for {
		select {
		case <-s.forwarder.lost:
			return n, context.Cause(s.forwarder.ctx)
		case <-s.gone:
			return n, s.whyGone()
		case r, ok := <-s.requests:
			// Not left to refuseRequests, which may not have run yet.
			if !ok {
				return n, s.whyGone()
			}
			r.Reply(false, nil)
		default:
			return n, io.EOF
		}
	}
}

// lostBy explains a failure that only a broken connection can cause: by what
// ended the connection if that becomes known at once, or else by err.
func (f *Forwarder) lostBy(err error) error {
	grace := time.NewTimer(f.lossGrace)
	defer grace.Stop()
	select {
	case <-f.lost:
		return context.Cause(f.ctx)
	case <-grace.C:
		return fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
}

// whyGone tells a closed channel from a closed connection.
func (s *stream) whyGone() error {
	grace := time.NewTimer(s.forwarder.lossGrace)
	defer grace.Stop()
	select {
	case <-s.forwarder.lost:
		return context.Cause(s.forwarder.ctx)
	case <-grace.C:
		return io.EOF
	}
}

func (s *stream) Write(p []byte) (int, error) { return s.ch.Write(p) }

// CloseWrite sends EOF. It must not run beside Write.
func (s *stream) CloseWrite() error { return s.ch.CloseWrite() }

// Close asks for the end of the channel. Reads return once the server agrees or
// the connection ends.
func (s *stream) Close() error { return s.ch.Close() }
