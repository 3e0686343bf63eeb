package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// Client is a connection to a server: one of its own, or a share in that of a
// master (Options.OwnConnection). Its methods may be called from any goroutine.
//
// A share has no keepalive, which is the master's affair, and knows neither the
// server's address nor its key: Stats stands still, Binding fails. Through a
// master of OpenSSH nothing can listen on the server.
type Client struct {
	d       *dialer
	conn    ssh.Conn
	monitor *keepalive.Monitor

	ctx    context.Context // ends with the connection; its cause is Err
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // every goroutine of ours

	channels *channelTypes
	forwards *forward.Forwarder
	timeouts *channelTimeouts
	agent    agentForwarding
}

func newClient(d *dialer, sc ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) *Client {
	c := &Client{d: d, conn: sc, channels: newChannelTypes(), timeouts: newChannelTimeouts(d.cfg.ChannelTimeout)}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.forwards = forward.New(c, d.opts.Logger)
	if c.Restricted() {
		c.forwards.Restrict(ErrRestricted)
	}
	c.channels.handle("forwarded-tcpip", c.forwards.ServeChannel)
	c.channels.handle("forwarded-streamlocal@openssh.com", c.forwards.ServeChannel)
	c.monitor = keepalive.Start(sc, d.watched, d.keepaliveOptions())
	c.work.Add(3)
	go c.serveChannels(chans)
	go c.serveRequests(reqs)
	go c.await()
	return c
}

// await ends when the connection has ended, and says why.
func (c *Client) await() {
	defer c.work.Done()
	err := c.conn.Wait()
	c.cancel(c.endCause(err))
	c.monitor.Stop()
}

// endCause returns the first cause of the end that x/crypto reports as err.
func (c *Client) endCause(err error) error {
	why := c.d.keys.err() // the server showed another host key when it rekeyed
	if why == nil {
		why = c.monitor.Err()
	}
	if disconnect := asDisconnect(err); why == nil && disconnect != nil {
		why = disconnect
	}
	return c.d.connError(PhaseConnected, cmp.Or(why, c.d.engine.failure(), err, io.EOF))
}

// Command returns a command to run on the server; see [session.Cmd]. It is the bare
// command: SetEnv, SendEnv, RequestTTY, ForwardAgent and ForwardX11 of the
// configuration are not applied to it, unlike in ssh. Set the fields of the Cmd.
func (c *Client) Command(ctx context.Context, line string) *session.Cmd {
	return session.Command(ctx, c, line)
}

// Subsystem returns a subsystem of the server to run, such as sftp.
func (c *Client) Subsystem(ctx context.Context, name string) *session.Cmd {
	return session.Subsystem(ctx, c, name)
}

// DialContext connects from the server to addr: network is "tcp", "tcp4",
// "tcp6" (the server resolves the name), or "unix" for a socket there. The end
// of ctx ends the attempt alone. Deadlines work as those of package net.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return c.orCauseConn(c.forwards.DialContext(ctx, network, addr))
}

// orCauseConn is orCause for a connection.
func (c *Client) orCauseConn(conn net.Conn, err error) (net.Conn, error) {
	return conn, c.orCause(err)
}

// Listen listens on the server: network is "tcp" (port 0 lets the server
// choose) or "unix".
func (c *Client) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	l, err := c.forwards.Listen(ctx, network, addr)
	return l, c.orCause(err)
}

// TransportEnded is closed when nothing more can be received, which is a
// moment before Done is, and before any channel ends for that reason. It is nil
// through a master, whose transport is not seen here.
func (c *Client) TransportEnded() <-chan struct{} {
	if _, shared := c.NetConn().(controlConn); shared {
		return nil
	}
	return c.d.watched.Ended()
}

// Forwards opens and lists the forwardings of this connection.
func (c *Client) Forwards() *forward.Forwarder { return c.forwards }

// orCause prefers the connection's end over what it looked like from above.
func (c *Client) orCause(err error) error {
	var open *ssh.OpenChannelError
	if err == nil || errors.As(err, &open) {
		return err
	}
	if cause := c.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// OpenChannel opens a channel of any type; it blocks until the server has
// answered or the connection has ended.
func (c *Client) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := c.conn.OpenChannel(name, data)
	if err != nil {
		return nil, nil, err
	}
	return c.timeouts.watchChannel(ch, name), reqs, nil
}

// SendRequest sends a global request; with wantReply it blocks until the
// server has answered. One at a time waits for its answer.
func (c *Client) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.conn.SendRequest(name, wantReply, payload)
}

// HandleChannelOpen has handle called, on the connection's own goroutine, for
// each channel of a type that the server opens; it must not block. It reports
// false if the type has a handler already.
func (c *Client) HandleChannelOpen(channelType string, handle func(ssh.NewChannel)) bool {
	return c.channels.handle(channelType, handle)
}

// SSH is the escape hatch: the connection as an x/crypto client, sharing it
// with this Client. Global requests and channels of types that gossh serves do
// not reach it.
func (c *Client) SSH() *ssh.Client { return c.channels.sshClient(c.conn) }

// Config is the configuration that the connection was made with.
func (c *Client) Config() *sshconfig.Config { return c.d.cfg }

// Conn gives what x/crypto knows of the connection.
func (c *Client) Conn() ssh.ConnMetadata { return c.conn }

// Binding names the server to an agent that is forwarded to it.
func (c *Client) Binding() (agentfwd.Binding, error) {
	return c.d.engine.binding(c.conn.SessionID())
}

// Stats is how the connection is doing.
func (c *Client) Stats() keepalive.Stats { return c.monitor.Stats() }

// Hint says that the network may have changed: see keepalive.Monitor. Jump
// hosts on the way are probed too: theirs is the socket that a change of
// address breaks.
func (c *Client) Hint() {
	c.monitor.Hint()
	if j, ok := c.NetConn().(*jumpConn); ok {
		j.hop.Hint()
	}
}

// PeerAddress is the server's address and its port; "UNKNOWN" and 65535, as in
// ssh, behind a ProxyCommand, and through a master.
func (c *Client) PeerAddress() (host string, port int) {
	return peerHost(c.d.watched), peerPort(c.d.watched)
}

// NetConn is the connection below, for socket options. Through a master there
// is none, only what stands for it.
func (c *Client) NetConn() net.Conn { return c.d.watched.NetConn() }

// Restricted reports that the host key has changed and StrictHostKeyChecking no
// let it pass. Nothing is forwarded then: DialContext, Listen and what Forwards
// opens return ErrRestricted, a session asks for neither the agent nor X11, and
// channels of the server are refused. Stdio forwardings (-W), and what SSH and
// OpenChannel open, are not kept back.
func (c *Client) Restricted() bool { return c.d.keys.restricted() }

// AuthMethod is the method that the server accepted last; "none" through a
// master, where nobody was asked.
func (c *Client) AuthMethod() string { return c.d.auth.lastMethod() }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err is why the connection ended, nil while it lives: ErrClosed after Close,
// otherwise a [*ConnError] around the cause.
func (c *Client) Err() error { return context.Cause(c.ctx) }

// Wait blocks until the connection has ended and returns Err.
func (c *Client) Wait() error {
	<-c.ctx.Done()
	return c.Err()
}

// Close ends the connection and waits for its goroutines. The net.Conn is
// closed first, so that a writer that is stuck does not hold it up.
func (c *Client) Close() error {
	c.cancel(ErrClosed)
	c.d.watched.Close()
	c.conn.Close()
	c.forwards.Close()
	c.agent.close()
	c.work.Wait()
	return nil
}
