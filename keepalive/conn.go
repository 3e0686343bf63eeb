package keepalive

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is a net.Conn that records when it last received data.
type Conn struct {
	net.Conn

	// epoch is the start of the times below. It has a monotonic clock reading, so
	// that setting the system's clock has no effect.
	epoch   time.Time
	heard   atomic.Int64 // nanoseconds from epoch to the last byte received
	in, out atomic.Uint64

	writing atomic.Int32 // Write calls in progress
	wrote   atomic.Int64 // when the last one ended or, if none was in progress, began

	// cause is set if this side closed the connection because the peer was
	// silent. Read and Write then return it.
	cause   atomic.Pointer[PeerLostError]
	ended   chan struct{} // closed by Close, and when no more data can arrive
	endOnce sync.Once

	packet packetTimer
}

// WrapConn returns a Conn that reads from and writes to c, and records when data
// arrives. This takes no lock and allocates nothing. c may be any connection: TCP,
// the pipes of a ProxyCommand, or a channel of another SSH connection.
func WrapConn(c net.Conn) *Conn {
	return &Conn{Conn: c, epoch: time.Now(), ended: make(chan struct{})}
}

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read reads from the connection below. After the peer is lost, it returns a
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
	// A new deadline can be set after a timeout. After any other error no more
	// data arrives.
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		c.end()
	}
	return n, err
}

// Write writes to the connection below. After the peer is lost, it returns a
// *PeerLostError.
func (c *Conn) Write(p []byte) (int, error) {
	// The time is set first. Otherwise a look in between would treat this Write
	// as one that has been blocked since the last one.
	if c.writing.Load() == 0 {
		c.wrote.Store(int64(time.Since(c.epoch)))
	}
	c.writing.Add(1)
	n, err := c.Conn.Write(p)
	// This is recorded while the Write still counts as in progress: see backlog.
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

// Close closes the connection below, which also ends the Monitor.
func (c *Conn) Close() error {
	c.packet.set(c, 0)
	c.end()
	return c.Conn.Close()
}

// CloseWrite calls CloseWrite of the connection below. It returns
// errors.ErrUnsupported if that connection has no such method.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("keepalive: CloseWrite: %w", errors.ErrUnsupported)
}

// LastHeard returns the time at which the last byte arrived, or the time at which c
// was created if none has.
func (c *Conn) LastHeard() time.Time {
	now := time.Now()
	return now.Add(time.Duration(c.heard.Load()) - now.Sub(c.epoch))
}

// BytesIn returns the number of bytes received.
func (c *Conn) BytesIn() uint64 { return c.in.Load() }

// BytesOut returns the number of bytes written to the connection below.
func (c *Conn) BytesOut() uint64 { return c.out.Load() }

// Ended returns a channel that is closed when no more data can arrive: by Close, and
// before the Read returns that finds the end of the data.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

func (c *Conn) end() { c.endOnce.Do(func() { close(c.ended) }) }

// fail closes c and records cause. Only the first cause is kept.
func (c *Conn) fail(cause *PeerLostError) {
	c.cause.CompareAndSwap(nil, cause)
	c.Close()
}

// SetPacketTimeout closes c if no data arrives for d. It is for the handshake, during
// which no Monitor runs. Calls of c then fail with a *PeerLostError
// (ReasonHandshake). Each received byte restarts d. Zero turns the timeout off: do so
// while a person is asked, and after the handshake. ssh uses Interval × CountMax for
// each packet: see Options.PacketTimeout. Deadlines of c are not changed.
func (c *Conn) SetPacketTimeout(d time.Duration) { c.packet.set(c, d) }

// A packetTimer implements SetPacketTimeout. It uses a timer instead of a read
// deadline, because channels have no deadlines, and because deadlines belong to the
// caller.
type packetTimer struct {
	mu    sync.Mutex
	timer *time.Timer
	turn  int // how often it was set, which tells an outdated timer
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

// expire is called when the timer fires. It continues to wait if data has arrived
// meanwhile or if the timer is late, and fails c otherwise.
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
