package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cause"
	"github.com/gossh-project/gossh/session"
)

// Command returns a command to run on the server, as [Client.Command] does.
// Start waits for a connection if there is none. A command that has started ends
// with its connection; it is not run again.
func (k *Kept) Command(ctx context.Context, line string) *session.Cmd {
	return session.Command(ctx, &keptSession{k: k, ctx: ctx}, line)
}

// Subsystem is like Command for a subsystem of the server, such as sftp.
func (k *Kept) Subsystem(ctx context.Context, name string) *session.Cmd {
	return session.Subsystem(ctx, &keptSession{k: k, ctx: ctx}, name)
}

// DialContext connects from the server to addr, as [Client.DialContext] does. It
// waits for a connection to the server if there is none, and tries again on the
// next one if that is lost before addr has answered.
func (k *Kept) DialContext(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = k.onConnection(ctx, func(c *Client) error {
		conn, err = c.DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// Listen listens on the server, as [Client.Listen] does, and again on each new
// connection, on the port that was chosen first if addr has port 0. It waits for
// a connection if there is none. The Listener ends with Close and with the Kept,
// whose error Accept then returns; ctx limits the call alone. During an outage,
// and for as long as the server refuses to listen again, Accept waits.
func (k *Kept) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	l := &keptListener{k: k, network: network, addr: addr, changed: make(chan struct{})}
	err := k.onConnection(ctx, func(c *Client) (err error) {
		l.conn = c
		l.open, err = c.Listen(ctx, network, addr)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.first = l.open.Addr()
	if host, port, err := net.SplitHostPort(addr); network != "unix" && err == nil && port == "0" {
		l.addr = net.JoinHostPort(host, strconv.Itoa(l.first.(*net.TCPAddr).Port))
	}
	l.ctx, l.end = context.WithCancelCause(k.ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil {
		l.end(nil)
		return nil, k.endCause()
	}
	k.work.Go(l.run)
	return l, nil
}

// onConnection calls do with the connection that is up, and again with the next
// one for as long as do fails because its connection was lost.
func (k *Kept) onConnection(ctx context.Context, do func(*Client) error) error {
	for {
		c, err := k.Client(ctx)
		if err != nil {
			return err
		}
		err = do(c)
		if err == nil || !c.lostWith(ctx, err) {
			return err
		}
	}
}

// lostWith reports whether err was caused by the end of the connection, and waits
// for that end, which follows at once.
func (c *Client) lostWith(ctx context.Context, err error) bool {
	if !errors.Is(err, forward.ErrConnectionLost) && c.Err() == nil {
		return false
	}
	select {
	case <-c.Done():
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// keptSession is the connection of one session: the one that was up when it was
// started.
type keptSession struct {
	k    *Kept
	ctx  context.Context
	conn atomic.Pointer[Client] // nil until the channel is open
}

func (s *keptSession) OpenChannel(name string, data []byte) (ch ssh.Channel, reqs <-chan *ssh.Request, err error) {
	err = s.k.onConnection(s.ctx, func(c *Client) error {
		var refused *ssh.OpenChannelError
		ch, reqs, err = c.OpenChannel(name, data)
		switch {
		case err == nil:
			s.conn.Store(c)
		case !errors.As(err, &refused):
			err = fmt.Errorf("%w: %w", forward.ErrConnectionLost, err)
		}
		return err
	})
	return ch, reqs, err
}

func (s *keptSession) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if c := s.conn.Load(); c != nil {
		return c.SendRequest(name, wantReply, payload)
	}
	return false, nil, net.ErrClosed
}

// Done is closed when the connection of the session has ended, or the Kept if
// the session has none yet.
func (s *keptSession) Done() <-chan struct{} {
	if c := s.conn.Load(); c != nil {
		return c.Done()
	}
	return s.k.Done()
}

func (s *keptSession) Err() error {
	if c := s.conn.Load(); c != nil {
		return c.Err()
	}
	return s.k.Err()
}

func (s *keptSession) TransportEnded() <-chan struct{} {
	if c := s.conn.Load(); c != nil {
		return c.TransportEnded()
	}
	return nil
}

func (s *keptSession) ServesAgent(ctx context.Context) bool {
	c := s.conn.Load()
	return c != nil && c.ServesAgent(ctx)
}

func (s *keptSession) Restricted() bool {
	c := s.conn.Load()
	return c != nil && c.Restricted()
}

// keptListener is a net.Listener on the server that is opened on each
// connection.
type keptListener struct {
	k       *Kept
	network string
	addr    string
	first   net.Addr
	ctx     context.Context // ends with Close and with the Kept
	end     context.CancelCauseFunc

	mu      sync.Mutex
	conn    *Client      // the connection on which it was opened last
	open    net.Listener // nil during an outage
	changed chan struct{}
}

// run opens the listener on each new connection. It ends with the listener.
func (l *keptListener) run() {
	defer l.set(nil, nil)
	for {
		select {
		case <-l.conn.Done():
		case <-l.ctx.Done():
			return
		}
		l.set(l.conn, nil)
		if !l.reopen() {
			return
		}
	}
}

// reopen listens on the next connection, trying again while the server refuses.
// It reports false when the listener has ended.
func (l *keptListener) reopen() bool {
	for pause := l.k.newBackoff(); ; {
		c, err := l.k.Client(l.ctx)
		if err != nil {
			return false
		}
		open, err := c.Listen(l.ctx, l.network, l.addr)
		if err == nil {
			l.set(c, open)
			return true
		}
		if c.lostWith(l.ctx, err) {
			pause.reset()
			continue
		}
		if sleep(l.ctx, pause.next()) != nil {
			return false
		}
	}
}

// set replaces what is open and closes what was. It is called by run alone.
func (l *keptListener) set(c *Client, open net.Listener) {
	l.mu.Lock()
	before := l.open
	l.conn, l.open = c, open
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if before != nil {
		before.Close()
	}
}

// Accept waits for a connection to the server and for the next connection that
// it accepts.
func (l *keptListener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		open, changed := l.open, l.changed
		l.mu.Unlock()
		if open != nil {
			if c, err := open.Accept(); err == nil {
				return c, nil
			}
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return nil, l.opError("accept", l.endCause())
		}
	}
}

// endCause returns why the listener has ended.
func (l *keptListener) endCause() error {
	if context.Cause(l.ctx) == net.ErrClosed {
		return net.ErrClosed
	}
	if err := l.k.endCause(); err != nil {
		return err
	}
	return cause.Of(l.ctx)
}

func (l *keptListener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.first.Network(), Addr: l.first, Err: err}
}

// Addr returns the address that was listened on first.
func (l *keptListener) Addr() net.Addr { return l.first }

// Close stops listening, on this connection and those to come.
func (l *keptListener) Close() error {
	if l.ctx.Err() != nil {
		return l.opError("close", l.endCause())
	}
	l.end(net.ErrClosed)
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	if open == nil {
		return nil
	}
	return open.Close()
}
