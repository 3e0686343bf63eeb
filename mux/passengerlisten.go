package mux

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// passengerListener is a listener on the server: a forwarding of the master's
// whose connections arrive at a socket in a folder of our own.
type passengerListener struct {
	conn *passengerConn
	spec forward.Spec // as it was opened
	addr forward.Addr // with the port that the server chose
	ln   net.Listener
	dir  string
}

// cancelTime bounds asking a master to end a forwarding when all ends.
const cancelTime = 2 * time.Second

// listen has the server listen.
func (c *passengerConn) listen(r *ssh.Request) (bool, []byte, error) {
	addr, ok := listenAddr(r)
	if !ok {
		return false, nil, nil
	}
	l, err := c.newListener(addr)
	if err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) {
			return false, nil, nil
		}
		return false, nil, err
	}
	var reply []byte
	if addr.Socket == "" && addr.Port == 0 {
		reply = ssh.Marshal(struct{ Port uint32 }{uint32(l.addr.Port)})
	}
	c.mu.Lock()
	taken := c.closed || c.listeners[l.addr] != nil
	if !taken {
		c.listeners[l.addr] = l
		c.work.Go(l.accept)
	}
	c.mu.Unlock()
	if taken {
		l.close(c.ctx)
		return false, nil, nil
	}
	return true, reply, nil
}

func (c *passengerConn) newListener(addr forward.Addr) (*passengerListener, error) {
	dir, err := os.MkdirTemp("", "gossh-") // of mode 0700
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	l := &passengerListener{conn: c, addr: addr, ln: ln, dir: dir}
	l.spec = forward.Spec{Kind: forward.Remote, Listen: addr, Connect: forward.Addr{Socket: socket}}
	if addr.Socket == "" && addr.Host == "" {
		l.spec.Listen.Host = "*" // every interface: see the request's text in RFC 4254, section 7.1
	}
	port, err := c.client.OpenForward(c.ctx, l.spec)
	if err != nil {
		l.discard()
		return nil, err
	}
	if addr.Socket == "" && addr.Port == 0 {
		l.addr.Port = port
	}
	return l, nil
}

func (l *passengerListener) discard() {
	l.ln.Close()
	os.RemoveAll(l.dir)
}

// close asks the master to end the forwarding, under ctx.
func (l *passengerListener) close(ctx context.Context) error {
	l.discard()
	return l.conn.client.CloseForward(ctx, l.spec)
}

func (c *passengerConn) stopListening(r *ssh.Request) bool {
	addr, ok := listenAddr(r)
	if !ok {
		return false
	}
	c.mu.Lock()
	l := c.listeners[addr]
	delete(c.listeners, addr)
	c.mu.Unlock()
	return l != nil && l.close(c.ctx) == nil
}

// closeListeners frees the server's ports.
func (c *passengerConn) closeListeners(open map[forward.Addr]*passengerListener) {
	ctx, cancel := context.WithTimeout(c.ctx, cancelTime)
	defer cancel()
	for _, l := range open {
		l.close(ctx)
	}
}

// accept turns connections into channels. It ends when the listener is closed.
func (l *passengerListener) accept() {
	c := l.conn
	stop := context.AfterFunc(c.ctx, l.discard)
	defer stop()
	for {
		nc, err := l.ln.Accept()
		if err != nil {
			return
		}
		open := &socketChannel{UnixConn: nc.(*net.UnixConn), requests: make(chan *ssh.Request)}
		open.name, open.data = "forwarded-tcpip", ssh.Marshal(&forwardedTCP{l.addr.Host, uint32(l.addr.Port), "127.0.0.1", 65535})
		if l.addr.Socket != "" {
			open.name, open.data = "forwarded-streamlocal@openssh.com", ssh.Marshal(&forwardedSocket{Path: l.addr.Socket})
		}
		select {
		case c.channels <- open:
		case <-c.ctx.Done():
			nc.Close()
			return
		}
	}
}

// socketChannel is a channel that the server opened: a connection that the
// master made to a socket. It is its own ssh.NewChannel.
type socketChannel struct {
	*net.UnixConn
	name     string
	data     []byte
	requests chan *ssh.Request // nothing ever comes
}

func (s *socketChannel) ChannelType() string { return s.name }
func (s *socketChannel) ExtraData() []byte   { return s.data }

// Accept accepts the channel.
func (s *socketChannel) Accept() (ssh.Channel, <-chan *ssh.Request, error) { return s, s.requests, nil }

// Reject closes the connection, which is all that the other side can be told.
func (s *socketChannel) Reject(ssh.RejectionReason, string) error { return s.UnixConn.Close() }

// Close closes the connection. The requests end with the first Close.
func (s *socketChannel) Close() error {
	if err := s.UnixConn.Close(); err != nil {
		return io.EOF // closed before
	}
	close(s.requests)
	return nil
}

// SendRequest sends nothing: there is no channel on the wire here.
func (s *socketChannel) SendRequest(string, bool, []byte) (bool, error) { return false, nil }

// Stderr returns a stream without data.
func (s *socketChannel) Stderr() io.ReadWriter { return stderrPipe{new(pipeChannel)} }
