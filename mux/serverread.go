package mux

import (
	"context"
	"time"
)

// startReading starts read. A request for proxy mode ends read, and a refusal of
// that request starts it again.
func (c *serverConn) startReading() {
	c.work.Add(1)
	go c.read()
}

// read passes the messages of the client to serve. It ends with the connection, at
// the first malformed message, and after a request for proxy mode, after which
// another protocol begins.
func (c *serverConn) read() {
	defer c.work.Done()
	for {
		r, err := c.readRequest()
		if err != nil {
			c.cancel(err)
			return
		}
		c.addBusy(+1)
		select {
		case c.requests <- r:
		case <-c.ctx.Done():
			r.close()
			return
		}
		if m, ok := r.message.(*plainRequest); ok && m.kind == msgProxy || r.lacking != nil {
			return
		}
	}
}

// readRequest reads a message and takes the descriptors that follow it.
func (c *serverConn) readRequest() (request, error) {
	c.addBusy(0)
	b, err := readFrame(c.c, c.step)
	if err != nil {
		return request{}, err
	}
	m, err := parseRequest(b)
	if err != nil {
		return request{}, err
	}
	r := request{message: m}
	want := 0
	switch m.(type) {
	case *sessionMessage:
		want = 3
	case *stdioMessage:
		want = 2
	}
	for range want {
		c.step()
		fd, err := receiveFD(c.c)
		if err != nil {
			r.close()
			r.fds, r.lacking = nil, err
			break
		}
		r.fds = append(r.fds, fd)
	}
	return r, nil
}

// close gives back descriptors that nobody has taken.
func (r *request) close() {
	for _, fd := range r.fds {
		closeFD(fd)
	}
}

// step allows the client one step's time from now.
func (c *serverConn) step() { c.setReadDeadline(time.Now().Add(c.s.opts.StepTimeout)) }

// addBusy counts what is under way. While nothing is, the client may be silent
// for so long only.
func (c *serverConn) addBusy(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy += n
	var by time.Time
	if c.busy == 0 {
		by = time.Now().Add(c.s.opts.SilenceTimeout)
	}
	c.setReadDeadline(by)
}

// setReadDeadline does not lift the deadline that interrupts read for good.
func (c *serverConn) setReadDeadline(by time.Time) {
	c.c.SetReadDeadline(by)
	if context.Cause(c.ctx) != nil {
		c.c.SetReadDeadline(past())
	}
}
