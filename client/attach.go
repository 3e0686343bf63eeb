package client

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/mux"
)

// attach makes a Client on the connection of the master that ControlPath
// names, as `ssh -O proxy` does. It returns nil where there is none, or where
// it does not answer: a connection of one's own is as good.
func (d *dialer) attach(ctx context.Context) *Client {
	if d.opts.OwnConnection || d.cfg.ControlPath == "" {
		return nil
	}
	mc, err := mux.Connect(ctx, d.cfg.ControlPath, mux.ClientOptions{Logger: d.opts.Logger})
	if err != nil {
		d.debugf("Control socket %s: %v", d.cfg.ControlPath, err)
		return nil
	}
	conn, chans, reqs, err := mc.Proxy(ctx)
	if err != nil {
		d.debugf("Control socket %s: %v", d.cfg.ControlPath, err)
		mc.Close()
		return nil
	}
	return attached(d, conn, chans, reqs)
}

// Attach makes a Client of a connection that a master holds: what
// mux.Client.Proxy returns. It takes conn over. Its end, and its Close, leave
// the master alone. opts.Config has to be set.
func Attach(conn ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, opts Options) (*Client, error) {
	if opts.Config == nil {
		conn.Close()
		return nil, errors.New("client: Attach without a Config")
	}
	return attached(newDialer(opts.withDefaults(), nil), conn, chans, reqs), nil
}

// attached has no net.Conn of its own to watch, no key exchange and no
// authentication; the master sees to all of these, and to the keepalive.
func attached(d *dialer, conn ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) *Client {
	d.opts.NoKeepalive = true
	d.layers(controlConn{conn})
	d.keys = &hostKeys{d: d}
	d.auth = newAuthenticator(context.Background(), d)
	return newClient(d, conn, chans, reqs)
}

// controlConn stands for the net.Conn below a connection that a master holds.
type controlConn struct{ conn ssh.Conn }

func (c controlConn) Close() error                     { return c.conn.Close() }
func (controlConn) Read([]byte) (int, error)           { return 0, errors.ErrUnsupported }
func (controlConn) Write([]byte) (int, error)          { return 0, errors.ErrUnsupported }
func (controlConn) LocalAddr() net.Addr                { return proxyAddr{} }
func (controlConn) RemoteAddr() net.Addr               { return proxyAddr{} }
func (controlConn) SetDeadline(time.Time) error        { return errors.ErrUnsupported }
func (controlConn) SetReadDeadline(time.Time) error    { return errors.ErrUnsupported }
func (controlConn) SetWriteDeadline(t time.Time) error { return errors.ErrUnsupported }
