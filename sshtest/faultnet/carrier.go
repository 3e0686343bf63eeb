package faultnet

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Limits of what one direction of a carrier holds.
const (
	pieceSize = 16 << 10
	// queueLength times pieceSize bounds the bytes under way: 4 MiB, which at
	// 100 ms of latency is still 40 MB/s.
	queueLength = 256
)

// reset asks carrier.end for a hard end.
const reset = mark("reset")

// mark is an error that never leaves the package.
type mark string

func (m mark) Error() string { return string(m) }

// carrier moves bytes between two connections through a Link's faults. Five
// goroutines, a reader and a writer each way and one that waits for them, end
// when both directions are through or end is called.
type carrier struct {
	link    *Link
	a, b    net.Conn // Up is from a to b
	done    chan struct{}
	through [2]chan struct{} // closed when that way will deliver nothing more
	once    sync.Once
	wg      sync.WaitGroup
}

// piece is some bytes under way, or the end of the stream, or of everything.
type piece struct {
	data []byte
	due  time.Time
	eof  bool
	rst  bool
}

// carry starts to move bytes between a and b, which it takes over.
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

// end closes both connections at once, whatever is under way. The first call
// decides how.
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

// resetConn prepares a connection to be closed with an RST.
func resetConn(nc net.Conn) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		nc.SetLinger(0)
	case interface{ Reset() }:
		nc.Reset()
	}
}

// receive reads from src into the queue; it ends with src's stream or with
// the carrier.
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

// deliver writes what is due to dst; it ends with the stream or the carrier.
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
			// The receiver is gone, and the sender has to learn of it, but
			// not before it has got what the receiver sent last.
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

// errEnded is write's word for: nothing more is to be written.
const errEnded = mark("ended")

// write passes one piece to dst, as fast as the link lets it.
func (c *carrier) write(i int, dst net.Conn, p piece) error {
	for {
		w, ok := c.link.passable(i, c.done)
		switch {
		case !ok:
			return errEnded
		case w.mode == swallowing && p.eof:
			<-c.done // nobody hears of the end
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
			// A tenth of a second's worth at most, so that a change of the
			// limit is felt soon.
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

// wait waits; false: the carrier ended first.
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

// closeWrite half closes, or closes what cannot be half closed.
func closeWrite(nc net.Conn) {
	if hc, ok := nc.(interface{ CloseWrite() error }); ok {
		hc.CloseWrite()
		return
	}
	nc.Close()
}
