package keepalive

import (
	"net"
	"time"
)

// A backlog follows the bytes of our own that a request has to wait for. It
// answers one question: was it shown, since the last look, that bytes ahead of
// the request are reaching the peer? See the package comment for why that
// counts, and what bounds it.
type backlog struct {
	tcp     *tcpQueue // nil if the connection is not TCP, or cannot be asked
	carried bool      // by another connection, to which tcp belongs

	// Over TCP: how much the peer has acknowledged, and how much it will
	// have when all that was queued ahead of the request has arrived.
	acked, mark uint64

	// Otherwise: whether a Write was held up, and how much had gone through.
	blocked bool
	out     uint64
}

// A carried connection goes over another one: a channel through a jump host over
// the connection to that.
type carried interface {
	// Carrier is the net.Conn below the other one.
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

// begin takes the measure before a request is written.
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

// progressed is called at each tick while the request is out.
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
	// What the channel of a carried connection has not taken is in no queue.
	return b.ackedMore() || b.carried && wrote
}

// ackedMore says whether more of what was queued ahead of the request has
// arrived since the last look.
func (b *backlog) ackedMore() bool {
	if b.acked >= b.mark {
		return false // nothing is ahead of the request any more
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

// heldUp is how long a Write must be under way to count as held up. One into
// a buffer that has room takes microseconds, black hole or not.
const heldUp = 10 * time.Millisecond

// look notes whether a Write is held up.
func (b *backlog) look(c *Conn) {
	// In this order, since Write notes its end first: bytes that are missed
	// here belong to a Write that is not taken for held up.
	b.out = c.out.Load()
	b.blocked = time.Since(c.epoch)-time.Duration(c.wrote.Load()) >= heldUp && c.writing.Load() > 0
}
