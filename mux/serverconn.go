package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// The extensions that our HELLO announces; OpenSSH passes over those that it
// does not know.
const (
	// extInfo says that INFO requests are answered (OpenSSH 10).
	extInfo = "info"

	// extStatus says that INFO requests of this name are answered with
	// statusText, for Client.Alive.
	extStatus = "status@gossh-project.github.io"

	// extAgent is, from a client, the path of its agent's socket, which is to
	// be forwarded in place of the master's ("": none); from a master, whose
	// value is "", that it does so.
	extAgent = "agent@gossh-project.github.io"
)

func ourHello(agent string) *helloMessage {
	return &helloMessage{version: version, extensions: []extension{{extInfo, "0"}, {extStatus, "0"}, {extAgent, agent}}}
}

// serverConn is a client of a Server. It has these goroutines: serve handles
// requests one after another, read notices that the client has left even while
// serve is busy, and one belongs to a session.
type serverConn struct {
	s *Server
	c *net.UnixConn

	ctx    context.Context // ends with the client
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // read, and the session

	number  int        // as OpenSSH numbers the channels of a connection
	release func() int // gives it back

	requests chan request

	writing sync.Mutex

	mu    sync.Mutex
	busy  int            // requests and sessions under way: the client may be silent
	shown *ServerSession // session, for channelsText

	session *ServerSession // of serve; set once
	agent   string         // the socket of the client's agent, or ""; set by greet
}

// request is a message and the descriptors that came with it.
type request struct {
	message message
	fds     []int
	lacking error // why descriptors are missing
}

// errDone is the cause of the end of a client that has been served.
var errDone = errors.New("mux: done")

func newServerConn(s *Server, c *net.UnixConn) *serverConn {
	sc := &serverConn{s: s, c: c, requests: make(chan request)}
	sc.ctx, sc.cancel = context.WithCancelCause(s.ctx)
	return sc
}

// serve serves the client. It ends with the client or the server.
func (c *serverConn) serve() {
	defer c.s.work.Done()
	// The callback may block, so it must not be called where clients are accepted.
	free := c.s.channel(Channel{c.number, "mux-control", "mux-control"}, c.release)
	defer free()
	defer c.s.leave(c)
	err := c.greet()
	if err == nil {
		stop := context.AfterFunc(c.ctx, func() { c.c.SetReadDeadline(past()) })
		c.startReading()
		err = c.handleAll()
		c.cancel(err)
		c.work.Wait()
		stop()
	}
	c.cancel(err)
	c.c.Close()
	if cause := context.Cause(c.ctx); cause != errDone && cause != io.EOF {
		c.s.log.Debug("mux: client ended", "error", cause)
	}
}

// greet exchanges HELLOs.
func (c *serverConn) greet() error {
	c.c.SetDeadline(time.Now().Add(c.s.opts.StepTimeout))
	defer c.c.SetDeadline(time.Time{})
	stop := context.AfterFunc(c.ctx, func() { c.c.SetDeadline(past()) })
	defer stop()
	if err := c.write(ourHello("")); err != nil {
		return err
	}
	b, err := readFrame(c.c, nil)
	if err != nil {
		return err
	}
	hello, err := parseHello(b)
	if err != nil {
		return err
	}
	c.agent = hello.agentSocket(c.s.log)
	return nil
}

// handleAll handles requests until the client has left.
func (c *serverConn) handleAll() error {
	for {
		select {
		case r := <-c.requests:
			err := c.handle(r)
			c.addBusy(-1)
			if err != nil {
				return err
			}
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
}

// handle handles a request. An error or a panic ends the connection of the client.
func (c *serverConn) handle(r request) (err error) {
	defer c.s.contain(func(p error) { err = p })
	if r.lacking != nil {
		c.refuse(r.message, "did not receive file descriptors")
		return r.lacking
	}
	switch m := r.message.(type) {
	case *sessionMessage:
		return c.openSession(m, r.fds)
	case *stdioMessage:
		return c.openStdio(m, r.fds)
	case *forwardMessage:
		if m.kind == msgCloseForward {
			return c.closeForward(m)
		}
		return c.openForward(m)
	case *infoMessage:
		return c.info(m)
	case *plainRequest:
		return c.plain(m)
	}
	return fmt.Errorf("mux: no handler for %T", r.message)
}

func (c *serverConn) plain(m *plainRequest) error {
	s := c.s
	switch m.kind {
	case msgAliveCheck:
		return c.write(&plainReply{msgAlive, m.id, uint32(os.Getpid())})
	case msgTerminate:
		if !c.confirm("Terminate shared connection to %s? ", s.opts.Host) {
			return c.deny(m)
		}
		err := c.write(&plainReply{kind: msgOK, id: m.id})
		s.end(ErrTerminated)
		return err
	case msgStopListening:
		if !c.confirm("Disable further multiplexing on shared connection to %s? ", s.opts.Host) {
			return c.deny(m)
		}
		s.Stop()
		return c.write(&plainReply{kind: msgOK, id: m.id})
	case msgProxy:
		return c.proxy(m)
	}
	return c.refuse(m, "unsupported request")
}

// confirm asks the user, if Confirm is set.
func (c *serverConn) confirm(question string, args ...any) bool {
	ask := c.s.opts.Confirm
	return ask == nil || ask(c.ctx, fmt.Sprintf(question, args...))
}

// requestID returns the number of the request for the reply to m.
func requestID(m message) uint32 {
	switch m := m.(type) {
	case *sessionMessage:
		return m.id
	case *stdioMessage:
		return m.id
	case *forwardMessage:
		return m.id
	case *infoMessage:
		return m.id
	case *plainRequest:
		return m.id
	}
	return 0
}

func (c *serverConn) refuse(m message, reason string) error {
	c.s.log.Debug("mux: request failed", "reason", reason)
	return c.write(&refusalMessage{msgFailure, requestID(m), reason})
}

func (c *serverConn) deny(m message) error {
	return c.write(&refusalMessage{msgPermissionDenied, requestID(m), "Permission denied"})
}

// write sends a whole message. If that fails, it ends the connection, so that a
// client that reads no replies gets no more of them.
func (c *serverConn) write(m message) error {
	b, err := frame(m)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.c.SetWriteDeadline(time.Now().Add(c.s.opts.StepTimeout))
	if _, err = c.c.Write(b); err != nil {
		c.cancel(err)
	}
	return err
}

// contain is deferred in the goroutines of a client. A panic there must not end
// the sessions of all the others: it is logged, and end ends this client.
func (s *Server) contain(end func(error)) {
	if p := recover(); p != nil {
		s.panicked(p)
		end(fmt.Errorf("mux: panic: %v", p))
	}
}

func (s *Server) panicked(p any) {
	s.log.Error("mux: a client is dropped", "panic", p, "stack", string(debug.Stack()))
}

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
