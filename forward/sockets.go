package forward

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Sockets keeps the listening sockets of one Local or Dynamic forwarding open
// while SSH connections serve it one after another: each time Options with the
// same Sockets are passed to Forwarder.Open. A connection that is accepted while
// no Forwarder serves it waits, without being read, for the next one; it is
// closed if none comes in time. [Forward.Stop], [Forward.Close] and Close close
// the sockets; the end of an SSH connection does not.
type Sockets struct {
	wait time.Duration

	mu     sync.Mutex
	held   []*heldSocket
	failed []BindError
	closed bool
}

// maxWaiting is how many accepted connections of one socket wait at most. Others
// wait in the system's queue.
const maxWaiting = 128

// NewSockets returns Sockets that are not open yet: the first Open listens. wait
// limits the time for which an accepted connection waits.
func NewSockets(wait time.Duration) *Sockets { return &Sockets{wait: wait} }

// listen returns a listener for each socket. The first call opens the sockets
// with open.
func (s *Sockets) listen(open func() ([]net.Listener, []BindError, error)) ([]net.Listener, []BindError, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	if s.held == nil {
		lns, failed, err := open()
		if err != nil {
			return nil, failed, err
		}
		for _, ln := range lns {
			h := &heldSocket{ln: ln, wait: s.wait, accepted: make(chan accepted), held: make(chan struct{}, maxWaiting)}
			h.ctx, h.end = context.WithCancel(context.Background())
			h.work.Go(h.accept)
			s.held = append(s.held, h)
		}
		s.failed = failed
	}
	views := make([]net.Listener, len(s.held))
	for i, h := range s.held {
		views[i] = &heldView{heldSocket: h, closing: make(chan struct{})}
	}
	return views, s.failed, nil
}

// Close closes the sockets and the connections that wait, and returns when its
// goroutines have ended.
func (s *Sockets) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, h := range s.held {
		errs = append(errs, h.close())
	}
	s.held = nil
	return errors.Join(errs...)
}

// heldSocket is one listening socket.
type heldSocket struct {
	ln       net.Listener
	wait     time.Duration
	accepted chan accepted
	held     chan struct{} // holds an element for each connection that waits

	ctx  context.Context // ends with close
	end  context.CancelFunc
	work sync.WaitGroup
}

// accepted is the result of one Accept.
type accepted struct {
	conn net.Conn
	err  error
}

func (h *heldSocket) close() error {
	h.end()
	err := h.ln.Close()
	h.work.Wait()
	return err
}

// accept takes connections until the socket is closed.
func (h *heldSocket) accept() {
	const pause = 100 * time.Millisecond
	for {
		c, err := h.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, most likely: whoever serves logs it
			h.offer(accepted{err: err}, pause)
			continue
		}
		select {
		case h.accepted <- accepted{conn: c}:
			continue
		default:
		}
		select {
		case h.held <- struct{}{}:
			h.work.Go(func() { h.hold(c) })
		case <-h.ctx.Done():
			c.Close()
		}
	}
}

// hold ends when the connection is served, after the wait, or with close.
func (h *heldSocket) hold(c net.Conn) {
	defer func() { <-h.held }()
	if !h.offer(accepted{conn: c}, h.wait) {
		c.Close()
	}
}

// offer reports whether a was taken within the time.
func (h *heldSocket) offer(a accepted, wait time.Duration) bool {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case h.accepted <- a:
		return true
	case <-limit.C:
	case <-h.ctx.Done():
	}
	return false
}

// heldView is a socket for as long as one SSH connection serves it.
type heldView struct {
	*heldSocket
	closing chan struct{}
	once    sync.Once
}

func (v *heldView) Accept() (net.Conn, error) {
	select {
	case <-v.closing:
		return nil, net.ErrClosed
	default:
	}
	select {
	case a := <-v.accepted:
		return a.conn, a.err
	case <-v.closing:
	case <-v.ctx.Done():
	}
	return nil, net.ErrClosed
}

func (v *heldView) Addr() net.Addr { return v.ln.Addr() }

// Close ends Accept and leaves the socket open.
func (v *heldView) Close() error {
	v.once.Do(func() { close(v.closing) })
	return nil
}
