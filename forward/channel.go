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
	Host       string // the target, or the address that was connected to
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

// noOrigin is the originator of a connection without one. OpenSSH sends this address
// for -W, because some servers check that it looks real. For a Unix-domain client
// OpenSSH sends an empty address and port 0, which those servers would refuse.
var noOrigin = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 65535)

// originOf returns the address from which a local client connected.
func originOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		if ap := tcp.AddrPort(); ap.IsValid() {
			return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		}
	}
	return noOrigin
}

// openChannel opens a channel to target and returns it.
//
// golang.org/x/crypto/ssh cannot cancel an open. If ctx ends first, the goroutine
// continues to wait, and closes a channel that is opened later.
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
		// x/crypto does not return from an open during the end of the connection.
		close(o.abandoned)
		return nil, context.Cause(f.ctx)
	}
}

// opening is the open of one channel.
type opening struct {
	forwarder *Forwarder
	target    Addr
	name      string
	payload   []byte
	result    chan opened
	abandoned chan struct{} // closed when the caller no longer waits
}

type opened struct {
	stream *stream
	err    error
}

// run opens the channel. It ends when the server has answered or the SSH connection
// has ended.
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

// stream is an open channel. It answers the channel's requests and discards its
// extended data.
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

// discardExtended discards the extended data of the channel. Forwarded connections have
// none, but a server can send it. Unread, it would use memory and the window of the
// channel. It ends at the end of the channel's data.
func (s *stream) discardExtended() {
	io.Copy(io.Discard, s.ch.Stderr())
}

// refuseRequests refuses all requests of the channel, since forwarded connections have
// none. It ends when the server closes the channel, or with the connection.
func (s *stream) refuseRequests() {
	ssh.DiscardRequests(s.requests)
	if s.ended != nil {
		s.ended()
	}
	close(s.gone)
}

// lossGrace is how long Read waits for the report that the SSH connection has ended.
const lossGrace = 10 * time.Millisecond

// Read reads from the channel. It returns io.EOF if the server ended the data, and
// ErrConnectionLost if the SSH connection broke.
//
// x/crypto returns io.EOF in both cases. If the Conn reports the end of the transport
// (see transport), that is known before. Otherwise, a broken connection closes the
// channel at nearly the same time, and Wait returns soon after. So Read waits for the
// cause only if the channel was closed, too.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ch.Read(p)
	if n > 0 || err == nil {
		// There may be data and the error of the window adjustment. Received
		// data is returned first.
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
			// refuseRequests may not have run yet.
			if !ok {
				return n, s.whyGone()
			}
			r.Reply(false, nil)
		default:
			return n, io.EOF
		}
	}
}

// lostBy returns the error for a failure that only a broken connection can cause: the
// cause of the connection's end if it becomes known at once, or else err.
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

// whyGone returns why the channel was closed: by the server, or by the end of the
// connection.
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

// CloseWrite sends EOF. It must not be called during a Write.
func (s *stream) CloseWrite() error { return s.ch.CloseWrite() }

// Close closes the channel. Reads return when the server confirms it, or when the
// connection ends.
func (s *stream) Close() error { return s.ch.Close() }
