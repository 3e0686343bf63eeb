package faultnet

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Limits of one direction of a carrier.
const (
	pieceSize = 16 << 10
	// queueLength times pieceSize limits the data on the way to 4 MiB, which
	// with a latency of 100 ms is 40 MB/s.
	queueLength = 256
)

// reset makes carrier.end reset the connections.
const reset = mark("reset")

// mark is an error that is not returned to callers.
type mark string

func (m mark) Error() string { return string(m) }

// carrier copies data between two connections through the faults of a Link. Its
// five goroutines (a reader and a writer for each direction, and one that waits
// for them) end when both directions have ended, or end is called.
type carrier struct {
	link    *Link
	a, b    net.Conn // Up is from a to b
	done    chan struct{}
	through [2]chan struct{} // closed when that direction has ended
	once    sync.Once
	wg      sync.WaitGroup
}

// piece is data on the way, or the end of a stream or of the carrier.
type piece struct {
	data []byte
	due  time.Time
	eof  bool
	rst  bool
}

// carry starts to copy between a and b, and closes them at the end.
func (l *Link) carry(a, b net.Conn) *carrier {
	c := &carrier{link: l, a: a, b: b, done: make(chan struct{})}
	l.mu.Lock()
	l.carried[c] = true
	l.mu.Unlock()
	for i, ends := range [2][2]net.Conn{{a, b}, {b, a}} {
		c.through[i] = make(chan struct{})
		queue := make(chan piece, queueLength)
		c.wg.Go(func() { c.receive(i, ends[0], queue) })
		c.wg.Go(func() { c.deliver(i, ends[1], queue) })
	}
	c.wg.Go(func() {
		<-c.through[0]
		<-c.through[1]
		c.end(nil)
	})
	return c
}

// end closes both connections at once. The first call decides how.
func (c *carrier) end(how error) {
	c.once.Do(func() {
		c.link.mu.Lock()
		delete(c.link.carried, c)
		c.link.mu.Unlock()
		if how == reset {
			resetConn(c.a)
			resetConn(c.b)
		}
		close(c.done)
		c.a.Close()
		c.b.Close()
	})
}

// resetConn makes the close of a connection send RST.
func resetConn(nc net.Conn) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		nc.SetLinger(0)
	case interface{ Reset() }:
		nc.Reset()
	}
}

// receive reads from src into the queue. It ends with the stream or the carrier.
func (c *carrier) receive(i int, src net.Conn, queue chan<- piece) {
	defer close(queue)
	for {
		if _, ok := c.link.passable(i, c.done); !ok {
			return
		}
		buf := make([]byte, pieceSize)
		n, err := src.Read(buf)
		if n > 0 {
			latency, swallowed := c.link.take(i, buf[:n])
			if !swallowed && !c.enqueue(queue, piece{data: buf[:n], due: time.Now().Add(latency)}) {
				return
			}
		}
		if err != nil {
			w, _ := c.link.state(i)
			rst := errors.Is(err, syscall.ECONNRESET)
			c.enqueue(queue, piece{eof: true, rst: rst, due: time.Now().Add(w.latency)})
			return
		}
	}
}

func (c *carrier) enqueue(queue chan<- piece, p piece) bool {
	select {
	case queue <- p:
		return true
	case <-c.done:
		return false
	}
}

// deliver writes pieces to dst when they are due. It ends with the stream or the
// carrier.
func (c *carrier) deliver(i int, dst net.Conn, queue <-chan piece) {
	defer close(c.through[i])
	for p := range queue {
		if !c.wait(time.Until(p.due)) {
			return
		}
		if err := c.write(i, dst, p); err != nil {
			if err == errEnded {
				return
			}
			// The receiver has closed. The sender must notice, but not before it
			// has received what the receiver sent last.
			select {
			case <-c.through[1-i]:
			case <-time.After(linger):
			case <-c.done:
			}
			c.end(nil)
			return
		}
	}
}

// errEnded means that nothing more is to be written.
const errEnded = mark("ended")

// write writes a piece to dst, at the speed of the link.
func (c *carrier) write(i int, dst net.Conn, p piece) error {
	for {
		w, ok := c.link.passable(i, c.done)
		switch {
		case !ok:
			return errEnded
		case w.mode == swallowing && p.eof:
			<-c.done // the end is not reported
			return errEnded
		case w.mode == swallowing:
			return nil
		case p.rst:
			c.end(reset)
			return errEnded
		case p.eof:
			closeWrite(dst)
			return errEnded
		}
		n := len(p.data)
		if w.chunk > 0 {
			n = min(n, w.chunk)
		}
		if w.bandwidth > 0 {
			// At most the data of a tenth of a second, so that a change of the
			// limit takes effect soon.
			n = min(n, max(w.bandwidth/10, 1))
			if !c.wait(time.Duration(n) * time.Second / time.Duration(w.bandwidth)) {
				return errEnded
			}
		}
		if _, err := dst.Write(p.data[:n]); err != nil {
			return err
		}
		c.link.gave(i, n)
		if p.data = p.data[n:]; len(p.data) == 0 {
			return nil
		}
	}
}

// wait waits for d. It returns false if the carrier ends first.
func (c *carrier) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// closeWrite closes the sending direction, or the connection if it cannot be
// half closed.
func closeWrite(nc net.Conn) {
	if hc, ok := nc.(interface{ CloseWrite() error }); ok {
		hc.CloseWrite()
		return
	}
	nc.Close()
}
