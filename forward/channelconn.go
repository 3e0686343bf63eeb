package forward

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// channelConn makes a net.Conn of a channel, with deadlines that work and can
// be moved, which http.Transport and database drivers rely on.
//
// A channel of x/crypto blocks without limit, so two goroutines do the blocking:
// receive reads ahead by one buffer, and transmit writes what Write has left
// for it, at most maxUnsent buffers. So Write returns when its data is
// buffered, as on a TCP connection, and a failure shows on a later call. A
// Read or Write that times out leaves the connection as it was.
type channelConn struct {
	s             *stream
	local, remote net.Addr
	readBy        *deadline
	writeBy       *deadline

	readTurn chan struct{} // held by the one Read that may take from in
	in       chan []byte   // from receive; closed after readErr is set
	taken    chan struct{} // tells receive that its buffer is free again
	rest     []byte        // of what came from in
	readErr  error

	writeTurn chan struct{} // held by the one Write that may add to out
	room      chan struct{} // a token for each buffer in out
	out       chan unsent
	failed    chan struct{} // closed after writeErr is set
	writeErr  error
	sentEOF   bool

	closing chan struct{}
	once    sync.Once
}

// unsent is a buffer to be written, or the end of the data.
type unsent struct {
	buf *[bufSize]byte
	n   int
	eof bool
}

const (
	maxUnsent = 2

	// linger is how long a closed connection goes on sending what was
	// written before.
	linger = 10 * time.Second
)

func newChannelConn(s *stream, local, remote net.Addr) *channelConn {
	c := &channelConn{
		s: s, local: local, remote: remote,
		readBy: newDeadline(), writeBy: newDeadline(),
		readTurn:  make(chan struct{}, 1),
		in:        make(chan []byte),
		taken:     make(chan struct{}, 1),
		writeTurn: make(chan struct{}, 1),
		room:      make(chan struct{}, maxUnsent),
		out:       make(chan unsent, maxUnsent),
		failed:    make(chan struct{}),
		closing:   make(chan struct{}),
	}
	go c.receive()
	go c.transmit()
	return c
}

// receive hands what the channel gives to Read, one buffer at a time, so that
// the server's window opens only as the data is taken. It ends with the
// channel's data, or when the connection is closed and the server has agreed.
func (c *channelConn) receive() {
	defer close(c.in)
	buf := new([bufSize]byte) // not from the pool: a Read may hold it beyond our end
	for {
		n, err := c.s.Read(buf[:])
		if n > 0 {
			select {
			case c.in <- buf[:n]:
			case <-c.closing:
				return
			}
			select {
			case <-c.taken:
			case <-c.closing:
				return
			}
		}
		if err != nil {
			c.readErr = err
			return
		}
	}
}

// transmit writes to the channel what Write has left. It ends when the
// connection is closed and that is sent, or when the channel takes no more.
func (c *channelConn) transmit() {
	defer c.s.Close()
	for {
		select {
		case u := <-c.out:
			if !c.send(u) {
				return
			}
		case <-c.closing:
			c.flush()
			return
		}
	}
}

// flush sends what is left when the connection is closed.
func (c *channelConn) flush() {
	for {
		select {
		case u := <-c.out:
			if !c.send(u) {
				return
			}
		default:
			return
		}
	}
}

func (c *channelConn) send(u unsent) bool {
	var err error
	if u.eof {
		err = c.s.CloseWrite()
	} else {
		_, err = c.s.Write(u.buf[:u.n])
		c.s.forwarder.bufs.Put(u.buf)
	}
	if err != nil {
		c.writeErr = c.s.writeFailure()
		close(c.failed)
		return false
	}
	<-c.room
	return true
}

// writeFailure is why a channel takes no more: the server has closed it, which
// on a TCP connection is EPIPE, or the SSH connection is lost.
func (s *stream) writeFailure() error {
	if err := s.whyGone(); err != io.EOF {
		return err
	}
	return syscall.EPIPE
}

func (c *channelConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.turn(c.readTurn, c.readBy); err != nil {
		return 0, c.opError("read", err)
	}
	defer func() { <-c.readTurn }()
	if len(c.rest) == 0 {
		select {
		case data, ok := <-c.in:
			if !ok {
				return 0, c.endOfData()
			}
			c.rest = data
		case <-c.readBy.wait():
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case <-c.closing:
			return 0, c.opError("read", net.ErrClosed)
		}
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.taken <- struct{}{}
	}
	return n, nil
}

func (c *channelConn) endOfData() error {
	select {
	case <-c.closing:
		return c.opError("read", net.ErrClosed)
	default:
	}
	if c.readErr == io.EOF {
		return io.EOF
	}
	return c.opError("read", c.readErr)
}

func (c *channelConn) Write(p []byte) (int, error) {
	if err := c.turn(c.writeTurn, c.writeBy); err != nil {
		return 0, c.opError("write", err)
	}
	defer func() { <-c.writeTurn }()
	if c.sentEOF {
		return 0, c.opError("write", syscall.EPIPE)
	}
	written := 0
	for len(p) > 0 {
		if err := c.waitRoom(); err != nil {
			return written, c.opError("write", err)
		}
		u := unsent{buf: c.s.forwarder.bufs.Get().(*[bufSize]byte)}
		u.n = copy(u.buf[:], p)
		c.out <- u // never blocks: there is room
		written += u.n
		p = p[u.n:]
	}
	return written, nil
}

// CloseWrite sends EOF after everything that was written; the other direction
// stays open.
func (c *channelConn) CloseWrite() error {
	if err := c.turn(c.writeTurn, c.writeBy); err != nil {
		return c.opError("close", err)
	}
	defer func() { <-c.writeTurn }()
	if c.sentEOF {
		return nil
	}
	if err := c.waitRoom(); err != nil {
		return c.opError("close", err)
	}
	c.sentEOF = true
	c.out <- unsent{eof: true}
	return nil
}

// turn waits to be the only one to read or to write. An end that has come
// already goes before data that could be had.
func (c *channelConn) turn(turn chan struct{}, by *deadline) error {
	select {
	case <-c.closing:
		return net.ErrClosed
	default:
	}
	if by.passed() {
		return os.ErrDeadlineExceeded
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-by.wait():
		return os.ErrDeadlineExceeded
	case <-c.closing:
		return net.ErrClosed
	}
}

// waitRoom waits for a place in out.
func (c *channelConn) waitRoom() error {
	select {
	case <-c.failed:
		return c.writeErr
	case <-c.s.gone:
		return c.s.writeFailure()
	default:
	}
	select {
	case c.room <- struct{}{}:
		return nil
	case <-c.failed:
		return c.writeErr
	case <-c.writeBy.wait():
		return os.ErrDeadlineExceeded
	case <-c.closing:
		return net.ErrClosed
	}
}

// Close returns at once, like that of a TCP connection: what was written before
// is sent for up to ten seconds more, and then the channel is closed. The
// goroutines end when the server has agreed, or with the SSH connection.
func (c *channelConn) Close() error {
	err := c.opError("close", net.ErrClosed)
	c.once.Do(func() {
		close(c.closing)
		go c.lingering()
		err = nil
	})
	return err
}

// lingering closes the channel if transmit cannot. It ends with the channel.
func (c *channelConn) lingering() {
	limit := time.NewTimer(linger)
	defer limit.Stop()
	select {
	case <-c.s.gone:
	case <-limit.C:
		c.s.Close()
	}
}

func (c *channelConn) LocalAddr() net.Addr  { return c.local }
func (c *channelConn) RemoteAddr() net.Addr { return c.remote }

func (c *channelConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *channelConn) SetReadDeadline(t time.Time) error  { return c.setDeadline(c.readBy, t) }
func (c *channelConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.writeBy, t) }

func (c *channelConn) setDeadline(d *deadline, t time.Time) error {
	select {
	case <-c.closing:
		return c.opError("set", net.ErrClosed)
	default:
	}
	d.set(t)
	return nil
}

func (c *channelConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.remote.Network(), Source: c.local, Addr: c.remote, Err: err}
}
