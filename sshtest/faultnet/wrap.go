package faultnet

import (
	"net"
	"sync"
	"time"
)

// linger is how long a closed Conn continues to deliver what was written.
const linger = time.Second

// Conn is a net.Conn with the faults of its Link. Close unblocks reads and
// writes, and deadlines work, whatever the faults are.
type Conn struct {
	*PipeConn
	Link    *Link
	carrier *carrier
	local   net.Addr
	remote  net.Addr
	closing sync.Once
}

// Wrap returns a Conn over nc. Up is the direction of its writes. The caller
// must not use nc any more. The goroutines end after Close, or when both
// directions have ended.
func Wrap(nc net.Conn) *Conn {
	near, far := Pipe()
	l := newLink()
	return &Conn{PipeConn: near, Link: l, carrier: l.carry(far, nc), local: nc.LocalAddr(), remote: nc.RemoteAddr()}
}

// LocalAddr returns the wrapped connection's.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the wrapped connection's.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Close closes the connection. As with a socket, what was written before is
// still delivered, for up to a second; a stalled or swallowing link delivers
// nothing, not even the end, and then the wrapped connection is closed at once.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		c.PipeConn.Close()
		if w, _ := c.Link.state(0); w.mode != passing {
			c.carrier.end(nil)
			return
		}
		c.carrier.wg.Go(c.lingerOn)
	})
	return nil
}

// lingerOn ends the carrier when everything written is delivered, or late.
func (c *Conn) lingerOn() {
	w, _ := c.Link.state(0)
	t := time.NewTimer(w.latency + linger)
	defer t.Stop()
	select {
	case <-c.carrier.through[0]:
	case <-c.carrier.done:
	case <-t.C:
	}
	c.carrier.end(nil)
}
