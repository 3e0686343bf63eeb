package keepalive

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is a net.Conn that remembers when it last received something.
type Conn struct {
	net.Conn

	// epoch is where the times below count from. It carries the monotonic
	// clock, so that setting the system's clock changes nothing.
	epoch   time.Time
	heard   atomic.Int64 // nanoseconds from epoch to the last byte received
	in, out atomic.Uint64

	writing atomic.Int32 // Write calls under way
	wrote   atomic.Int64 // when the last one ended or, if none was under way, began

	// cause is why the connection was closed from this side, if it was for
	// the peer's silence: Read and Write then return it.
	cause   atomic.Pointer[PeerLostError]
	ended   chan struct{} // closed by Close, and when nothing more can come in
	endOnce sync.Once

	packet packetTimer
}

// WrapConn watches c. Reading and writing go through unchanged; each read that
// brings a byte is noted, without a lock or an allocation. It works on
// anything: a TCP connection, the pipes of a ProxyCommand, a channel through
// another SSH connection.
func WrapConn(c net.Conn) *Conn {
	return &Conn{Conn: c, epoch: time.Now(), ended: make(chan struct{})}
}

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read reads from the connection below. After the verdict its error is a
// *PeerLostError.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.in.Add(uint64(n))
		c.heard.Store(int64(time.Since(c.epoch)))
	}
	if err == nil {
		return n, nil
	}
	if cause := c.cause.Load(); cause != nil {
		return n, cause
	}
	// A deadline passes and can be set again; any other error is the end of
	// what can be heard.
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		c.end()
	}
	return n, err
}

// Write writes to the connection below. After the verdict its error is a
// *PeerLostError.
func (c *Conn) Write(p []byte) (int, error) {
	// The time comes first: between the two a look would take this Write for
	// one that is held up since the last.
	if c.writing.Load() == 0 {
		c.wrote.Store(int64(time.Since(c.epoch)))
	}
	c.writing.Add(1)
	n, err := c.Conn.Write(p)
	// Noted before it is no longer under way: see backlog.
	c.wrote.Store(int64(time.Since(c.epoch)))
	c.out.Add(uint64(n))
	c.writing.Add(-1)
	if err != nil {
		if cause := c.cause.Load(); cause != nil {
			return n, cause
		}
	}
	return n, err
}

// Close closes the connection below. It ends the Monitor.
func (c *Conn) Close() error {
	c.packet.set(c, 0)
	c.end()
	return c.Conn.Close()
}

// CloseWrite forwards to the connection below. The error is
// errors.ErrUnsupported if that cannot close one direction alone.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("keepalive: CloseWrite: %w", errors.ErrUnsupported)
}

// LastHeard returns when the last byte came in; when c was made, if none did.
func (c *Conn) LastHeard() time.Time {
	now := time.Now()
	return now.Add(time.Duration(c.heard.Load()) - now.Sub(c.epoch))
}

// BytesIn returns how many bytes were received.
func (c *Conn) BytesIn() uint64 { return c.in.Load() }

// BytesOut returns how many bytes were handed to the connection below.
func (c *Conn) BytesOut() uint64 { return c.out.Load() }

// Ended is closed when nothing more can come in: by Close, and at the end of
// what can be read, before the Read that meets it returns.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

func (c *Conn) end() { c.endOnce.Do(func() { close(c.ended) }) }

// fail closes c because of cause. The first cause stays.
func (c *Conn) fail(cause *PeerLostError) {
	c.cause.CompareAndSwap(nil, cause)
	c.Close()
}

// SetPacketTimeout watches over the handshake, while no Monitor runs yet: if
// nothing is received for d, c is closed and its calls fail with a
// *PeerLostError (ReasonHandshake). Each received byte starts d anew. Zero
// turns it off: do so while a person is asked, and when the handshake is over.
// ssh gives each packet Interval × CountMax, see Options.PacketTimeout.
// Deadlines of c are another matter, and stay as they are.
func (c *Conn) SetPacketTimeout(d time.Duration) { c.packet.set(c, d) }

// A packetTimer is the watch over the handshake. It is a timer and not a read
// deadline, because a channel has no deadlines, and because deadlines belong to
// the caller.
type packetTimer struct {
	mu    sync.Mutex
	timer *time.Timer
	turn  int // how often it was set; tells a timer that was overtaken
	limit time.Duration
	since time.Duration // when it was set, counted from the epoch
	due   time.Duration
}

func (t *packetTimer) set(c *Conn, limit time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.turn++
	if limit <= 0 {
		return
	}
	limit = min(limit, longest)
	t.limit, t.since = limit, time.Since(c.epoch)
	t.due = t.since + limit
	turn := t.turn
	t.timer = time.AfterFunc(limit, func() { t.expire(c, turn) })
}

// expire is called when the timer fires: it goes on waiting if something came
// in since, as it does if it comes late, and fails c otherwise.
func (t *packetTimer) expire(c *Conn, turn int) {
	t.mu.Lock()
	if t.turn != turn {
		t.mu.Unlock()
		return // turned off, or set again, while it fired
	}
	now := time.Since(c.epoch)
	if now-t.due >= lateness {
		t.since = now
	}
	last := max(t.since, time.Duration(c.heard.Load()))
	if left := last + t.limit - now; left > 0 {
		t.due = now + left
		t.timer.Reset(left)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	c.fail(&PeerLostError{
		LastHeard: c.LastHeard(),
		Silence:   now - last,
		Missed:    1,
		Reason:    ReasonHandshake,
	})
}
