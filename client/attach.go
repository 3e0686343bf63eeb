package client

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// masterTimeout is how long a master may take to answer if there is no
// ConnectTimeout.
const masterTimeout = 10 * time.Second

// attach returns a Client on the connection of the master that ControlPath
// names, as `ssh -O proxy` does. It returns nil if there is no master, or if
// that does not answer. The time limit of the Dial that this is a jump host of
// stops meanwhile: it is for the network.
func (d *dialer) attach(ctx context.Context) *Client {
	if d.opts.OwnConnection || d.cfg.ControlPath == "" {
		return nil
	}
	if d.parent != nil && d.parent.limit != nil {
		d.parent.limit.pause()
		defer d.parent.limit.resume()
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.cfg.ConnectTimeout, masterTimeout))
	defer cancel()
	mc, err := mux.Connect(ctx, d.cfg.ControlPath, mux.ClientOptions{Logger: d.opts.Logger})
	if err != nil {
		d.masterUnusable(err)
		return nil
	}
	conn, chans, reqs, err := mc.Proxy(ctx)
	if err != nil {
		d.masterUnusable(err)
		mc.Close()
		return nil
	}
	return attached(d, conn, chans, reqs)
}

// masterUnusable reports why a master cannot be used, unless there is none, or
// it is about to exit.
func (d *dialer) masterUnusable(err error) {
	d.debugf("Control socket %s: %v", d.cfg.ControlPath, err)
	if errors.Is(err, mux.ErrNoMaster) || errors.Is(err, mux.ErrMasterGone) ||
		errors.Is(err, mux.ErrStale) && d.cfg.ControlMaster != sshconfig.ControlMasterNo {
		return
	}
	d.notify(MasterUnusable{Path: d.cfg.ControlPath, Err: err})
}

// Attach returns a Client on the connection of a master, as mux.Client.Proxy
// returns it. The Client owns conn. Closing the Client does not end the master.
// Attach fails if opts.Config is nil.
func Attach(conn ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, opts *Options) (*Client, error) {
	if opts == nil || opts.Config == nil {
		conn.Close()
		return nil, errors.New("client: Attach without a Config")
	}
	return attached(newDialer(opts.withDefaults(), nil), conn, chans, reqs), nil
}

// attached returns a Client on conn. The master does the key exchange, the
// authentication and the keepalive.
func attached(d *dialer, conn ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) *Client {
	d.opts.NoKeepalive = true
	d.layers(controlConn{conn})
	d.keys = &hostKeys{d: d}
	d.auth = newAuthenticator(context.Background(), d)
	return newClient(d, conn, chans, reqs)
}

// controlConn is the placeholder for the network connection of a master.
type controlConn struct{ conn ssh.Conn }

func (c controlConn) Close() error                     { return c.conn.Close() }
func (controlConn) Read([]byte) (int, error)           { return 0, errors.ErrUnsupported }
func (controlConn) Write([]byte) (int, error)          { return 0, errors.ErrUnsupported }
func (controlConn) LocalAddr() net.Addr                { return proxyAddr{} }
func (controlConn) RemoteAddr() net.Addr               { return proxyAddr{} }
func (controlConn) SetDeadline(time.Time) error        { return errors.ErrUnsupported }
func (controlConn) SetReadDeadline(time.Time) error    { return errors.ErrUnsupported }
func (controlConn) SetWriteDeadline(t time.Time) error { return errors.ErrUnsupported }
