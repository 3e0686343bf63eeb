package forward

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// channelConn is a net.Conn over a channel. Its deadlines work and can be changed,
// which http.Transport and database drivers need.
//
// Calls of an x/crypto channel block without limit, so two goroutines make them:
// receive reads ahead by one buffer, and transmit writes the buffers that Write has
// queued, at most maxUnsent. So Write returns when its data is buffered, as on a TCP
// connection, and a later call returns the error. A Read or Write that times out does
// not change the connection.
type channelConn struct {
	s             *stream
	local, remote net.Addr
	readBy        *deadline
	writeBy       *deadline

	readTurn chan struct{} // held by the one Read that may take from in
	in       chan []byte   // from receive; closed after readErr is set
	taken    chan struct{} // signals receive that its buffer is free
	rest     []byte        // unread data of the last buffer from in
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

	// linger is how long a closed connection continues to send buffered data.
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

// receive passes data of the channel to Read, one buffer at a time, so that the
// server's window opens only as data is read. It ends at the end of the channel's
// data, or when the connection is closed and the server has confirmed it.
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

// transmit writes the queued buffers to the channel. It ends when the connection is
// closed and they are sent, or when a write fails.
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

// flush sends the remaining buffers when the connection is closed.
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

// writeFailure returns the error of a failed write: EPIPE if the server has closed the
// channel, as on a TCP connection, or the loss of the SSH connection.
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

// CloseWrite sends EOF after all written data. The other direction stays open.
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

// turn waits until no other call reads or writes. If the connection is closed or the
// deadline has passed, that is returned first, even if there is data.
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

// waitRoom waits for room in out.
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

// Close returns at once, as on a TCP connection. Written data is sent for up to ten
// more seconds, and then the channel is closed. The goroutines end when the server has
// confirmed it, or with the SSH connection.
func (c *channelConn) Close() error {
	err := c.opError("close", net.ErrClosed)
	c.once.Do(func() {
		close(c.closing)
		go c.lingering()
		err = nil
	})
	return err
}

// lingering closes the channel after the linger time, unless transmit has. It ends
// with the channel.
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

// deadline is a deadline that can be changed while goroutines wait for it.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{} // closed when the deadline has passed; replaced when it is changed
}

func newDeadline() *deadline { return &deadline{expired: make(chan struct{})} }

// set changes the deadline, also for goroutines that wait for it. The zero time means
// no deadline.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.expired // the old timer fires right now, and must not affect the new one
	}
	d.timer = nil
	select {
	case <-d.expired:
		d.expired = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	expired := d.expired
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { close(expired) })
		return
	}
	close(expired)
}

// wait returns a channel that is closed when the deadline has passed.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expired
}

func (d *deadline) passed() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}
