package keepalive

import (
	"net"
	"time"
)

// A Conn is a net.Conn that remembers when it last received something.
type Conn struct {
	net.Conn
}

// WrapConn watches c. Reading and writing go through unchanged; each read that
// brings a byte is noted, without a lock or an allocation. It works on
// anything: a TCP connection, the pipes of a ProxyCommand, a channel through
// another SSH connection.
func WrapConn(c net.Conn) *Conn { return &Conn{Conn: c} }

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// CloseWrite forwards to the connection below. The error is
// errors.ErrUnsupported if that cannot close one direction alone.
func (c *Conn) CloseWrite() error { panic("TODO") }

// LastHeard returns when the last byte came in; when c was made, if none did.
func (c *Conn) LastHeard() time.Time { panic("TODO") }

// BytesIn returns how many bytes were received.
func (c *Conn) BytesIn() uint64 { panic("TODO") }

// BytesOut returns how many bytes were handed to the connection below.
func (c *Conn) BytesOut() uint64 { panic("TODO") }

// SetPacketTimeout watches over the handshake, while no Monitor runs yet: if
// nothing is received for d, c is closed and its calls fail with a
// *PeerLostError (ReasonHandshake). Each received byte starts d anew. Zero
// turns it off: do so while a person is asked, and when the handshake is over.
// ssh gives each packet Interval × CountMax, see Options.PacketTimeout.
// Deadlines of c are another matter, and stay as they are.
func (c *Conn) SetPacketTimeout(d time.Duration) { panic("TODO") }
