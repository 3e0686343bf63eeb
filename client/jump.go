package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"

	"github.com/gossh-project/gossh/sshconfig"
)

// maxJumps ends a configuration that jumps in circles.
const maxJumps = 16

// ErrTooManyJumps is a chain of jump hosts that does not end.
var ErrTooManyJumps = errors.New("client: too many jump hosts")

// jump connects to the last of the jump hosts, through those before it, and
// from there to the target: `-J a,b host` is b, itself with `-J a`, as with
// ssh. No other process is started.
func (d *dialer) jump(ctx context.Context) (net.Conn, error) {
	if d.depth >= maxJumps {
		return nil, ErrTooManyJumps
	}
	hops := d.cfg.ProxyJump
	last, before := hops[len(hops)-1], hops[:len(hops)-1]
	opts := d.opts
	cfg, err := sshconfig.Load(ctx, last.Host, jumpOptions(*opts.ConfigOptions, last, before))
	if err != nil {
		return nil, err
	}
	opts.Config = cfg
	opts.Password = nil // it is the target's
	opts.OwnConnection = false
	d.debugf("Setting up jump host %s for %s port %d", cfg.HostName, d.cfg.HostName, d.cfg.Port)
	hd := newDialer(opts, d)
	hd.path = hopPath(d.path, last)
	hop, err := hd.dial(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(d.cfg.HostName, strconv.Itoa(d.cfg.Port))
	conn, err := hop.DialContext(ctx, "tcp", addr)
	if err != nil {
		hop.Close()
		return nil, d.connectError(err)
	}
	return &jumpConn{Conn: conn, hop: hop}, nil
}

// jumpOptions are those of the command line that reach a jump host: its own
// user and port, the hops before it, and the choice of files, as with ssh.
func jumpOptions(o sshconfig.Options, hop sshconfig.JumpHost, before []sshconfig.JumpHost) sshconfig.Options {
	o.User, o.Port = hop.User, hop.Port
	o.Command = ""
	o.CommandLine = nil
	if len(before) > 0 {
		o.CommandLine = append(o.CommandLine, sshconfig.Flag('J', jumpList(before)))
	}
	// What would make the hop more than a hop.
	o.CommandLine = append(o.CommandLine,
		sshconfig.Option("ClearAllForwardings=yes"), sshconfig.Option("RemoteCommand=none"),
		sshconfig.Option("RequestTTY=no"), sshconfig.Option("ForwardAgent=no"), sshconfig.Option("ForwardX11=no"))
	return o
}

// jumpList is the argument of -J.
func jumpList(hops []sshconfig.JumpHost) string {
	var b []byte
	for _, h := range slices.All(hops) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		if h.User != "" {
			b = append(b, h.User+"@"...)
		}
		if h.Port != 0 {
			b = append(b, net.JoinHostPort(h.Host, strconv.Itoa(h.Port))...)
		} else {
			b = append(b, h.Host...)
		}
	}
	return string(b)
}

// jumpConn is the way through a jump host, whose connection ends with it.
type jumpConn struct {
	net.Conn
	hop *Client
}

// Close closes the hop first: that unblocks whoever writes through it.
func (c *jumpConn) Close() error {
	c.hop.Close()
	return c.Conn.Close()
}

// Hop is the connection to the jump host.
func (c *jumpConn) Hop() *Client { return c.hop }

// Carrier is the net.Conn to the jump host, for keepalive: what waits there to be
// sent is ahead of any question to the target.
func (c *jumpConn) Carrier() net.Conn { return c.hop.NetConn() }
