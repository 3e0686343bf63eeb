package client

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/sshconfig"
)

// maxJumps limits the depth of jump hosts, so that a cycle in the configuration
// ends.
const maxJumps = 16

// ErrTooManyJumps means that a chain of jump hosts does not end.
var ErrTooManyJumps = errors.New("client: too many jump hosts")

// jump connects to the target through the last of the jump hosts, and to that
// through those before it: `-J a,b host` is host through b, which is reached
// with `-J a`. It starts no process, unless the jump host shall become a master
// (see Options.JumpProgram).
func (d *dialer) jump(ctx context.Context) (net.Conn, error) {
	if d.depth >= maxJumps {
		return nil, d.connError(PhaseConfig, ErrTooManyJumps)
	}
	hops := d.cfg.ProxyJump
	last, before := hops[len(hops)-1], hops[:len(hops)-1]
	opts, err := d.hopOptions(ctx, last, before)
	if err != nil {
		e := &ConnError{Host: d.target().cfg.HostName, Jump: last.Host, Phase: PhaseConfig, Port: last.Port}
		e.Err = orContextError(ctx, err)
		return nil, e
	}
	cfg := opts.Config
	d.debugf("Setting up jump host %s for %s port %d", cfg.HostName, d.cfg.HostName, d.cfg.Port)
	hd := d.hop(opts, last)
	if hop := hd.attach(ctx); hop != nil {
		conn, err := d.throughMaster(ctx, hop)
		if !errors.Is(err, ErrMasterSilent) {
			return conn, err
		}
		hd.masterUnusable(err)
	} else if len(d.opts.JumpProgram) > 0 && cfg.ControlPath != "" && cfg.ControlMaster != sshconfig.ControlMasterNo {
		return d.jumpProgram(ctx, last, before)
	}
	hd = d.hop(opts, last)
	hd.opts.OwnConnection = true
	hop, err := hd.dial(ctx)
	if err != nil {
		return nil, err
	}
	return d.through(ctx, hop)
}

// target returns the dialer of the host that Dial was called for.
func (d *dialer) target() *dialer {
	for d.parent != nil {
		d = d.parent
	}
	return d
}

// hopOptions returns the Options of a jump host, with its configuration.
func (d *dialer) hopOptions(ctx context.Context, hop sshconfig.JumpHost, before []sshconfig.JumpHost) (Options, error) {
	o := d.opts
	o.Config, o.Password, o.HostKeys, o.AgentForward = nil, nil, nil, nil
	o.OwnConnection = false
	if o.JumpOptions != nil {
		o.JumpOptions(hop.Host, &o)
		o = o.withDefaults()
	}
	if o.Config == nil && o.NoFiles {
		o.Config = defaultConfig(hop.Host, hop.User, hop.Port)
	}
	if o.Config != nil {
		if len(before) > 0 {
			cfg := *o.Config
			cfg.ProxyJump = before
			o.Config = &cfg
		}
		return o, nil
	}
	var err error
	o.Config, err = sshconfig.Load(ctx, hop.Host, jumpOptions(*o.ConfigOptions, hop, before))
	return o, err
}

// hop returns the dialer for a jump host.
func (d *dialer) hop(opts Options, host sshconfig.JumpHost) *dialer {
	hd := newDialer(opts, d)
	hd.path = hopPath(d.path, host)
	return hd
}

// through connects to the target through a jump host. The connection owns hop;
// through closes hop if it fails.
func (d *dialer) through(ctx context.Context, hop *Client) (net.Conn, error) {
	conn, err := hop.orCauseConn(hop.forwards.DialStdio(ctx, "tcp", net.JoinHostPort(d.cfg.HostName, strconv.Itoa(d.cfg.Port))))
	if err != nil {
		hop.Close()
		return nil, d.connectError(orContextError(ctx, err))
	}
	return &jumpConn{Conn: conn, hop: hop}, nil
}

// ErrMasterSilent means that a jump host's master accepted a connection to the
// target and did not answer in time: its server may be gone.
var ErrMasterSilent = errors.New("client: the master's server does not answer")

// throughMaster calls through for a connection of a master. It leaves half of
// ConnectTimeout for an attempt without the master.
func (d *dialer) throughMaster(ctx context.Context, hop *Client) (net.Conn, error) {
	limited, cancel := context.WithTimeoutCause(ctx, cmp.Or(d.cfg.ConnectTimeout, 2*masterTimeout)/2, ErrMasterSilent)
	defer cancel()
	return d.through(limited, hop)
}

// jumpProgram connects through a jump host by JumpProgram, which runs with -W
// and becomes the master that the jump host's configuration asks for.
func (d *dialer) jumpProgram(ctx context.Context, hop sshconfig.JumpHost, before []sshconfig.JumpHost) (net.Conn, error) {
	args := slices.Clone(d.opts.JumpProgram)
	if hop.User != "" {
		args = append(args, "-l", hop.User)
	}
	if hop.Port != 0 {
		args = append(args, "-p", strconv.Itoa(hop.Port))
	}
	if len(before) > 0 {
		args = append(args, "-J", jumpList(before))
	}
	target := "[" + d.cfg.HostName + "]:" + strconv.Itoa(d.cfg.Port)
	args = append(args, "-W", target, "--", hop.Host)
	for i, arg := range args {
		args[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	line := strings.Join(args, " ")
	d.debugf("Executing proxy command: exec %s", line)
	conn, err := dialProxyCommand(ctx, defaultShell, line, d.opts.ProxyStderr, d.opts.ProxyApart)
	if err != nil {
		return nil, d.connectError(err)
	}
	return conn, nil
}

// jumpOptions returns the options for loading the configuration of a jump host:
// its own user and port, the hops before it, and the same files, as with ssh.
func jumpOptions(o sshconfig.Options, hop sshconfig.JumpHost, before []sshconfig.JumpHost) sshconfig.Options {
	o.User, o.Port = hop.User, hop.Port
	o.Command = ""
	o.CommandLine = nil
	if len(before) > 0 {
		o.CommandLine = append(o.CommandLine, sshconfig.Flag('J', jumpList(before)))
	}
	// A jump host runs no command and forwards nothing.
	o.CommandLine = append(o.CommandLine,
		sshconfig.Option("ClearAllForwardings=yes"), sshconfig.Option("RemoteCommand=none"),
		sshconfig.Option("RequestTTY=no"), sshconfig.Option("ForwardAgent=no"), sshconfig.Option("ForwardX11=no"))
	return o
}

// jumpList returns the argument of -J for hops.
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

// jumpConn is a connection through a jump host. Closing it closes the connection
// to the jump host.
type jumpConn struct {
	net.Conn
	hop *Client
}

// Close closes the connection to the jump host first, which unblocks writers.
func (c *jumpConn) Close() error {
	c.hop.Close()
	return c.Conn.Close()
}

// Carrier returns the network connection to the jump host. The keepalive checks
// it for data that has not been sent: that is ahead of any request to the
// target.
func (c *jumpConn) Carrier() net.Conn { return c.hop.NetConn() }
