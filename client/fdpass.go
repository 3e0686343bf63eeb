package client

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// ErrNoDescriptor is a ProxyCommand that was to pass a connected descriptor
// back (ProxyUseFdpass) and did not.
var ErrNoDescriptor = errors.New("client: the proxy command did not pass back a connection")

// ErrNoStdio is a ProxyCommand of "-" where Options.Stdio is not set.
var ErrNoStdio = errors.New("client: no standard input and output to connect over")

// proxy connects as ProxyCommand and ProxyUseFdpass say.
func (d *dialer) proxy(ctx context.Context) (net.Conn, error) {
	switch {
	case d.cfg.ProxyCommand == "-":
		if d.opts.Stdio == nil || d.parent != nil {
			return nil, d.connectError(ErrNoStdio)
		}
		return &stdioConn{ReadWriteCloser: d.opts.Stdio}, nil
	case d.cfg.ProxyUseFdpass:
		d.debugf("Executing proxy dialer command: %s", d.cfg.ProxyCommand)
		conn, err := passedConn(ctx, userShell(), d.cfg.ProxyCommand, d.opts.ProxyStderr)
		if err != nil {
			return nil, d.connectError(err)
		}
		return conn, nil
	}
	return d.proxyCommand(ctx)
}

// stdioConn is a net.Conn over what has no addresses and no deadlines.
type stdioConn struct {
	io.ReadWriteCloser
	once sync.Once
	err  error
}

func (c *stdioConn) Close() error {
	c.once.Do(func() { c.err = c.ReadWriteCloser.Close() })
	return c.err
}

func (c *stdioConn) LocalAddr() net.Addr  { return proxyAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr { return proxyAddr{} }

func (c *stdioConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (c *stdioConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (c *stdioConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
