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

// Client is a connection to a server: its own, or that of a master (see
// Options.OwnConnection). Its methods may be called from any goroutine.
//
// Through a master the Client has no keepalive and knows neither the server's
// address nor its host key: Stats does not change, and Binding fails. A master
// of OpenSSH does not let a Client listen on the server.
type Client struct {
	d       *dialer
	conn    ssh.Conn
	monitor *keepalive.Monitor

	ctx    context.Context // ends with the connection; its cause is Err
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // all goroutines of the Client

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

// await waits until the connection has ended and records why.
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

// DialContext connects from the server to addr. The network is "tcp", "tcp4",
// "tcp6" (the server resolves the name) or "unix" for a socket on the server.
// ctx limits the attempt only. The connection supports deadlines.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return c.orCauseConn(c.forwards.DialContext(ctx, network, addr))
}

// orCauseConn returns conn, and err as orCause does.
func (c *Client) orCauseConn(conn net.Conn, err error) (net.Conn, error) {
	return conn, c.orCause(err)
}

// Listen listens on the server. The network is "tcp" or "unix". With port 0 the
// server chooses one. ctx limits the attempt only.
func (c *Client) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	l, err := c.forwards.Listen(ctx, network, addr)
	return l, c.orCause(err)
}

// TransportEnded returns a channel that is closed when nothing more can be
// received, just before Done is closed and before any channel ends for that
// reason. It returns nil through a master, whose transport is not known here.
func (c *Client) TransportEnded() <-chan struct{} {
	if _, shared := c.NetConn().(controlConn); shared {
		return nil
	}
	return c.d.watched.Ended()
}

// Forwards returns the Forwarder of this connection.
func (c *Client) Forwards() *forward.Forwarder { return c.forwards }

// orCause returns err together with the reason why the connection ended, if that
// caused err.
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

// OpenChannel opens a channel of any type. It blocks until the server has
// answered or the connection has ended.
func (c *Client) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := c.conn.OpenChannel(name, data)
	if err != nil {
		return nil, nil, err
	}
	return c.timeouts.watchChannel(ch, name), reqs, nil
}

// SendRequest sends a global request. If wantReply is set, it blocks until the
// server has answered. Requests that want replies are sent one at a time.
func (c *Client) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.conn.SendRequest(name, wantReply, payload)
}

// HandleChannelOpen registers handle for channels of a type that the server
// opens. It is called on a goroutine of the connection and must not block.
// HandleChannelOpen reports false if the type has a handler already.
func (c *Client) HandleChannelOpen(channelType string, handle func(ssh.NewChannel)) bool {
	return c.channels.handle(channelType, handle)
}

// SSH returns the connection as a client of x/crypto, which shares it with this
// Client. It does not receive global requests, nor channels of types that have a
// handler.
func (c *Client) SSH() *ssh.Client { return c.channels.sshClient(c.conn) }

// Config returns the configuration that the connection was made with.
func (c *Client) Config() *sshconfig.Config { return c.d.cfg }

// Conn returns the metadata of the connection.
func (c *Client) Conn() ssh.ConnMetadata { return c.conn }

// Binding returns the data by which an agent knows the server to which it is
// forwarded (session-bind@openssh.com).
func (c *Client) Binding() (agentfwd.Binding, error) {
	return c.d.engine.binding(c.conn.SessionID())
}

// Stats returns the state of the keepalive.
func (c *Client) Stats() keepalive.Stats { return c.monitor.Stats() }

// Rekey begins a key exchange, and does not wait for its end. It returns an error
// that matches errors.ErrUnsupported with TransportXCrypto, and through a master.
func (c *Client) Rekey() error { return c.d.engine.rekey() }

// Hint reports that the network may have changed: the connection is probed at
// once. So are the connections to jump hosts, since it is theirs that a change
// of address breaks. See keepalive.Monitor.
func (c *Client) Hint() {
	c.monitor.Hint()
	if j, ok := c.NetConn().(*jumpConn); ok {
		j.hop.Hint()
	}
}

// PeerAddress returns the address and port of the server. Behind a ProxyCommand
// and through a master these are "UNKNOWN" and 65535, as in ssh.
func (c *Client) PeerAddress() (host string, port int) {
	return peerHost(c.d.watched), peerPort(c.d.watched)
}

// NetConn returns the connection below, for socket options. Through a master it
// is a placeholder whose Read and Write fail.
func (c *Client) NetConn() net.Conn { return c.d.watched.NetConn() }

// Restricted reports whether the host key has changed and was accepted by
// StrictHostKeyChecking no. Then nothing is forwarded: DialContext, Listen and
// Forwards().Open return ErrRestricted, sessions request neither the agent nor
// X11, and channels that the server opens are refused. Stdio forwardings (-W),
// SSH and OpenChannel are not affected.
func (c *Client) Restricted() bool { return c.d.keys.restricted() }

// AuthMethod returns the method that the server accepted last. Through a master
// it is "none".
func (c *Client) AuthMethod() string { return c.d.auth.lastMethod() }

// Done returns a channel that is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns nil while the connection is up. Afterwards it returns ErrClosed if
// Close was called, and otherwise a [*ConnError] with the reason.
func (c *Client) Err() error { return context.Cause(c.ctx) }

// Wait blocks until the connection has ended and returns Err.
func (c *Client) Wait() error {
	<-c.ctx.Done()
	return c.Err()
}

// Close closes the connection and waits for its goroutines.
func (c *Client) Close() error {
	c.cancel(ErrClosed)
	c.d.watched.Close()
	c.conn.Close()
	c.forwards.Close()
	c.agent.close()
	c.work.Wait()
	return nil
}
