package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// passengerConn is a connection through a master that is not gossh's, made of
// what cannot harm it. In proxy mode OpenSSH's master ends, with all its
// sessions, when the server refuses a client's channel and the client leaves,
// and it hangs up at most global requests (channel_proxy_downstream and
// chan_send_close2 of its source). So each session is a passenger with pipes for
// descriptors, each connection to a host beyond the server a stdio forwarding,
// each listener a forwarding to a socket of ours, and a keepalive asks the
// master whether it is alive.
//
// What none of these can do is refused with errors.ErrUnsupported.
type passengerConn struct {
	path   string // of the control socket
	opts   ClientOptions
	client *Client // for requests; its end is the connection's end
	watch  *Client // on which the master's end is seen

	ctx    context.Context // ends with the connection, the cause being why
	cancel context.CancelCauseFunc
	done   chan struct{}  // closed when nothing of it is left
	work   sync.WaitGroup // of sessions and listeners

	channels chan ssh.NewChannel
	requests chan *ssh.Request

	mu        sync.Mutex
	listeners map[forward.Addr]*passengerListener
	closed    bool // nothing begins any more
}

// newPassengerConn takes client over.
func newPassengerConn(ctx context.Context, client *Client) (*passengerConn, error) {
	watch, err := Connect(ctx, client.path, client.opts)
	if err != nil {
		return nil, err
	}
	c := &passengerConn{
		path: client.path, opts: client.opts, client: client, watch: watch,
		channels: make(chan ssh.NewChannel), requests: make(chan *ssh.Request),
		listeners: make(map[forward.Addr]*passengerListener), done: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	go c.run()
	return c, nil
}

// run waits for the end of the master or for Close, and ends what is left.
func (c *passengerConn) run() {
	defer close(c.done)
	_, err := readFrame(c.watch.c, nil)
	if err == nil {
		err = &ProtocolError{"the master sends what it was not asked for"}
	}
	c.cancel(explain(c.ctx, c.ctx, err))
	c.watch.Close()
	c.client.Close()
	for _, l := range c.shut() {
		l.discard()
	}
	c.work.Wait()
	close(c.channels)
	close(c.requests)
}

// shut prevents that anything begins, and returns the open listeners.
func (c *passengerConn) shut() map[forward.Addr]*passengerListener {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.listeners
	c.listeners, c.closed = nil, true
	return open
}

// spawn runs f in a goroutine that the end of the connection waits for. It reports
// false, without running f, if the connection has ended.
func (c *passengerConn) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.work.Go(f)
	return true
}

// OpenChannel opens a session, or a connection to a host or socket that the
// server reaches. A session begins with its exec, shell or subsystem request.
func (c *passengerConn) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	if err := context.Cause(c.ctx); err != nil {
		return nil, nil, err
	}
	var target forward.Addr
	switch name {
	case "session":
		ch := newPassengerSession(c)
		return ch, ch.requests, nil
	case "direct-tcpip":
		var m struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}
		if err := ssh.Unmarshal(data, &m); err != nil {
			return nil, nil, err
		}
		target = forward.Addr{Host: m.Host, Port: int(m.Port)}
	case "direct-streamlocal@openssh.com":
		var m struct {
			Path     string
			Reserved string
			Port     uint32
		}
		if err := ssh.Unmarshal(data, &m); err != nil {
			return nil, nil, err
		}
		target = forward.Addr{Socket: m.Path}
	default:
		return nil, nil, fmt.Errorf("mux: a %s channel through a master of OpenSSH: %w", name, errors.ErrUnsupported)
	}
	ch, err := c.dial(target)
	if err != nil {
		return nil, nil, err
	}
	return ch, ch.requests, nil
}

// dial connects to target from the server.
func (c *passengerConn) dial(target forward.Addr) (*pipeChannel, error) {
	ch, theirs, err := newPipeChannel(false)
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	client, err := c.connect()
	if err != nil {
		ch.closePipes()
		return nil, err
	}
	s, err := client.StdioForward(c.ctx, target, [2]int{theirs.stdin(), theirs.stdout()})
	if err != nil {
		client.Close()
		ch.closePipes()
		return nil, openError(err, ssh.ConnectionFailed)
	}
	ch.begin(c, s, nil)
	return ch, nil
}

// connect makes another connection to the master.
func (c *passengerConn) connect() (*Client, error) { return Connect(c.ctx, c.path, c.opts) }

// openError returns the refusal of a channel for that of a master.
func openError(err error, reason ssh.RejectionReason) error {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	if refused.Denied {
		reason = ssh.Prohibited
	}
	return &ssh.OpenChannelError{Reason: reason, Message: refused.Reason}
}

// SendRequest answers a keepalive when the master does, and opens and closes
// listeners. Other requests are answered as by a server that does not know them
// (RFC 4254, section 4).
func (c *passengerConn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if err := context.Cause(c.ctx); err != nil {
		return false, nil, err
	}
	r := &ssh.Request{Type: name, WantReply: wantReply, Payload: payload}
	switch name {
	case "tcpip-forward", "streamlocal-forward@openssh.com":
		return c.listen(r)
	case "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
		return c.stopListening(r), nil, nil
	}
	if !wantReply {
		return false, nil, nil
	}
	if _, err := c.client.Alive(c.ctx); err != nil {
		c.cancel(err)
		return false, nil, err
	}
	return false, nil, nil
}

// Wait blocks until the connection has ended, and returns the cause.
func (c *passengerConn) Wait() error {
	<-c.done
	return context.Cause(c.ctx)
}

// Close closes the connection, its sessions and its listeners. The master and its
// connection are not affected.
func (c *passengerConn) Close() error {
	c.closeListeners(c.shut())
	c.cancel(io.EOF)
	c.watch.Close()
	<-c.done
	return nil
}

// The rest of ssh.Conn: only the master knows it.

func (c *passengerConn) User() string          { return "" }
func (c *passengerConn) SessionID() []byte     { return nil }
func (c *passengerConn) ClientVersion() []byte { return nil }
func (c *passengerConn) ServerVersion() []byte { return nil }
func (c *passengerConn) RemoteAddr() net.Addr  { return c.client.c.RemoteAddr() }
func (c *passengerConn) LocalAddr() net.Addr   { return c.client.c.LocalAddr() }
