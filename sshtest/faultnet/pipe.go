package faultnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeBuffer is the size of the buffer of one direction, about that of a
// loopback socket.
const pipeBuffer = 64 << 10

// PipeConn is one end of a connection in memory; see [Pipe].
//
// Unlike [net.Pipe] it is buffered and can be half closed, so that programs
// which rely on a socket's buffer do not block (both sides of SSH first send
// their identification). It waits on a sync.Cond and on timers, which
// testing/synctest regards as durably blocked. It has no goroutine.
type PipeConn struct {
	in, out       *half
	local, remote net.Addr
}

// Pipe returns the two ends of a connection in memory. Their addresses are those
// of a loopback TCP connection, because callers parse them: the first end is the
// client's, the second that of a server on port 22.
func Pipe() (client, server *PipeConn) {
	up, down := newHalf(), newHalf()
	ca := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 49152}
	sa := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 22}
	client = &PipeConn{in: down, out: up, local: ca, remote: sa}
	server = &PipeConn{in: up, out: down, local: sa, remote: ca}
	return client, server
}

// Read blocks until there is data, the peer's CloseWrite or Close (io.EOF), the
// read deadline or Close.
func (c *PipeConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

// Write blocks until the buffer has room, the write deadline or Close. After the
// peer's Close it fails with EPIPE.
func (c *PipeConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.opError("write", err)
}

// Close closes both directions. The peer can still read what was written before.
func (c *PipeConn) Close() error {
	c.in.closeRead()
	c.out.closeWrite()
	return nil
}

// CloseWrite closes this direction: the peer reads io.EOF after the data.
func (c *PipeConn) CloseWrite() error {
	c.out.closeWrite()
	return nil
}

// Reset resets both directions, as a TCP RST does: data on the way is lost, and
// both ends get ECONNRESET.
func (c *PipeConn) Reset() {
	c.in.fail(syscall.ECONNRESET)
	c.out.fail(syscall.ECONNRESET)
}

// LocalAddr implements net.Conn.
func (c *PipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *PipeConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *PipeConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *PipeConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *PipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// opError returns err as package net does, in a *net.OpError. io.EOF is returned
// unchanged.
func (c *PipeConn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// half is one direction of a Pipe.
type half struct {
	mu   sync.Mutex
	cond sync.Cond
	buf  []byte
	err  error // set by Reset, for both ends

	readClosed, writeClosed     bool
	readDeadline, writeDeadline deadline
}

// deadline is a time at which blocked calls fail.
type deadline struct {
	timer   *time.Timer
	expired bool
}

func newHalf() *half {
	h := &half{}
	h.cond.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readClosed:
			return 0, net.ErrClosed
		case h.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case h.err != nil:
			return 0, h.err
		case len(p) == 0:
			return 0, nil
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = append(h.buf[:0], h.buf[n:]...)
			h.cond.Broadcast()
			return n, nil
		case h.writeClosed:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.writeClosed:
			return n, net.ErrClosed
		case h.writeDeadline.expired:
			return n, os.ErrDeadlineExceeded
		case h.err != nil:
			return n, h.err
		case h.readClosed:
			return n, syscall.EPIPE
		case len(p) == 0:
			return n, nil
		}
		if room := pipeBuffer - len(h.buf); room > 0 {
			m := min(room, len(p))
			h.buf = append(h.buf, p[:m]...)
			p, n = p[m:], n+m
			h.cond.Broadcast()
			continue
		}
		h.cond.Wait()
	}
}

func (h *half) closeRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readClosed, h.buf = true, nil
	h.readDeadline.stop()
	h.cond.Broadcast()
}

func (h *half) closeWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writeClosed = true
	h.writeDeadline.stop()
	h.cond.Broadcast()
}

func (h *half) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err, h.buf = err, nil
	}
	h.cond.Broadcast()
}

// setDeadline sets d, one of the deadlines of h. A timer that fires after it was
// replaced does nothing.
func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.stop()
	d.expired = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		h.cond.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if d.timer == timer {
			d.expired = true
			h.cond.Broadcast()
		}
	})
	d.timer = timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
