package keepalive

import (
	"net"
	"time"
)

// A backlog tracks the outgoing bytes that are queued ahead of a request. It
// reports whether some of them have reached the peer since the last check. The
// package comment says why this counts, and what bounds it.
type backlog struct {
	tcp     *tcpQueue // nil if the connection is not TCP, or cannot be asked
	carried bool      // by another connection, which tcp belongs to

	// Over TCP: how much the peer has acknowledged, and how much it will have
	// acknowledged when everything ahead of the request has arrived.
	acked, mark uint64

	// Otherwise: whether a Write was blocked, and how much had been written.
	blocked bool
	out     uint64
}

// A carried connection runs over another one, as a channel through a jump host
// runs over the connection to the jump host.
type carried interface {
	// Carrier returns the net.Conn below the other connection.
	Carrier() net.Conn
}

func (b *backlog) init(c *Conn) {
	if c == nil {
		return
	}
	below := c.Conn
	for up, ok := below.(carried); ok; up, ok = below.(carried) {
		below, b.carried = up.Carrier(), true
	}
	b.tcp = newTCPQueue(below)
}

// begin measures the backlog before a request is written.
func (b *backlog) begin(c *Conn) {
	if c == nil {
		return
	}
	if b.tcp != nil {
		acked, queued, ok := b.tcp.measure()
		if !ok {
			queued = 0
		}
		b.acked, b.mark = acked, acked+queued
	}
	b.look(c)
}

// progressed reports whether bytes ahead of the request have reached the peer since
// the last call. It is called at each tick while a request is outstanding.
func (b *backlog) progressed(c *Conn) bool {
	if c == nil {
		return false
	}
	wasBlocked, before := b.blocked, b.out
	b.look(c)
	wrote := wasBlocked && b.out > before
	if b.tcp == nil {
		return wrote
	}
	// Bytes that the channel of a carried connection has not accepted are in no queue.
	return b.ackedMore() || b.carried && wrote
}

// ackedMore reports whether the peer has acknowledged more of the bytes ahead of
// the request since the last call.
func (b *backlog) ackedMore() bool {
	if b.acked >= b.mark {
		return false // nothing is ahead of the request now
	}
	acked, queued, ok := b.tcp.measure()
	if !ok {
		return false
	}
	if queued == 0 {
		acked = b.mark // all of it has arrived
	}
	before := b.acked
	b.acked = acked
	return acked > before
}

// heldUp is the time after which a Write in progress counts as blocked. A Write into
// a buffer with room takes microseconds, even if the network drops everything.
const heldUp = 10 * time.Millisecond

// look records whether a Write is blocked.
func (b *backlog) look(c *Conn) {
	// The order matters, since Write records its end first: bytes that are missed
	// here belong to a Write that does not count as blocked.
	b.out = c.out.Load()
	b.blocked = time.Since(c.epoch)-time.Duration(c.wrote.Load()) >= heldUp && c.writing.Load() > 0
}
