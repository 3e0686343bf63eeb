package keepalive

import (
	"log/slog"
	"time"
)

// RequestName is the global request that asks for a sign of life. No peer has
// to know it: RFC 4254 section 4 makes one that does not answer with failure.
const RequestName = "keepalive@openssh.com"

// A Requester sends global requests. Every ssh.Conn and *ssh.Client is one.
type Requester interface {
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// Options say how long a peer may be silent. The numbers mean what they mean
// in ssh_config(5), so the zero value sends nothing and judges nothing, as ssh
// does unless it is told otherwise. DefaultOptions has figures of our own.
type Options struct {
	// Interval is ServerAliveInterval: after that much silence the peer is
	// asked for a sign of life. Zero or less turns the Monitor off.
	Interval time.Duration
	// CountMax is ServerAliveCountMax: the peer is lost when the count of
	// silent intervals passes it, which is Interval × (CountMax+1) after
	// its last sign of life. Less than zero is taken for zero, and zero
	// means: lost after one interval, without being asked.
	CountMax int
	// Logger is told of requests and verdicts at debug level; nil is silent.
	Logger *slog.Logger
	// OnChange, if set, is called with each change of Stats.State, from the
	// Monitor's goroutine. It must not block, and must not call Stop.
	OnChange func(Stats)
	// Moved, if set, says whether the network has changed such that the
	// connection cannot go on: see Monitor.Hint. Nil looks at the addresses
	// of the watched Conn.
	Moved func() bool
}

// DefaultOptions returns an interval of 30 s and a count of 6: a peer is lost
// after three and a half minutes of silence.
func DefaultOptions() Options {
	return Options{Interval: 30 * time.Second, CountMax: 6}
}

// PacketTimeout returns Interval × CountMax, which is how long ssh waits for
// each packet of the handshake, for Conn.SetPacketTimeout. Zero means for
// ever.
func (o Options) PacketTimeout() time.Duration { panic("TODO") }

// A Monitor watches one connection until that ends, Stop is called, or the
// peer is lost. Its methods may be called from any goroutine.
type Monitor struct{}

// Start watches conn, whose bytes pass watched. With watched nil (a connection
// through a multiplexing master has no net.Conn of its own) answers alone are
// life, and conn is closed on the verdict if it has a Close method.
func Start(conn Requester, watched *Conn, opts Options) *Monitor { panic("TODO") }

// Stats returns a snapshot.
func (m *Monitor) Stats() Stats { panic("TODO") }

// Done is closed when the Monitor has ended, whatever the reason.
func (m *Monitor) Done() <-chan struct{} { panic("TODO") }

// Err returns the *PeerLostError once the peer is lost, and nil otherwise: how
// a connection ended by other means is for the connection to say.
func (m *Monitor) Err() error { panic("TODO") }

// Stop ends the Monitor and waits until it will neither judge nor call
// OnChange any more. The connection stays open. A request that is out cannot
// be taken back: its goroutine ends with the answer, or with the connection.
func (m *Monitor) Stop() { panic("TODO") }

// Hint says that the network may have changed. The peer is asked at once, and
// again after 2 s and 4 s. If nothing is heard and, 6 s after the hint, the
// address that the connection comes from is no longer on this machine while
// the peer is routed from another, the peer is lost; otherwise ssh's rule goes
// on as if there had been no hint. Hint does not block.
func (m *Monitor) Hint() { panic("TODO") }
