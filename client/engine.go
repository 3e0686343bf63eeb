package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/connection"
	"github.com/gossh-project/gossh/internal/xssh"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/transport"
	"github.com/gossh-project/gossh/userauth"
)

// Transport names an implementation of the SSH transport.
type Transport = sshconfig.Transport

// The transports. docs/compatibility.md says what they differ in.
const (
	// TransportXCrypto is the transport of golang.org/x/crypto/ssh.
	TransportXCrypto = sshconfig.TransportXCrypto

	// TransportGossh is package transport of this module.
	TransportGossh = sshconfig.TransportGossh
)

// engine makes an SSH connection over a network connection.
type engine interface {
	// connect exchanges versions and keys, and authenticates.
	connect(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error)

	// failure returns the first error of reading or writing, or nil.
	failure() error

	// versionsExchanged reports whether the server's identification was read.
	versionsExchanged() bool

	// mayAuthenticate returns an error if the connection has ended, so that no
	// other method can be tried, and false if the engine itself returns that
	// error.
	mayAuthenticate(first bool) (bool, error)

	// binding returns the data for session-bind@openssh.com.
	binding(sessionID []byte) (agentfwd.Binding, error)

	// rekey begins a key exchange.
	rekey() error

	// serverKexAlgorithms returns the key exchange methods that the server
	// offered.
	serverKexAlgorithms() []string
}

// newEngine returns the engine of Options.Transport, over d.watched.
func (d *dialer) newEngine() engine {
	if cmp.Or(d.opts.Transport, d.cfg.Own.Transport) == TransportGossh {
		return &ownEngine{d: d, reading: xssh.NewConn(d.watched)}
	}
	e := &cryptoEngine{d: d, transport: xssh.NewConn(d.watched)}
	e.transport.OnVersion = d.greeted
	e.transport.OnLine = d.noticed
	e.observer = agentfwd.ObserveKex(e.transport)
	return e
}

// cryptoEngine uses golang.org/x/crypto/ssh.
type cryptoEngine struct {
	d         *dialer
	transport *xssh.Conn
	observer  *agentfwd.KexObserver
}

func (e *cryptoEngine) connect(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	config, err := e.d.sshConfig(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return ssh.NewClientConn(e.observer, e.d.address(), config)
}

func (e *cryptoEngine) failure() error                { return e.transport.Failure() }
func (e *cryptoEngine) versionsExchanged() bool       { return e.transport.VersionRead() }
func (e *cryptoEngine) serverKexAlgorithms() []string { return e.observer.ServerKexAlgorithms() }

func (e *cryptoEngine) binding(sessionID []byte) (agentfwd.Binding, error) {
	return e.observer.Binding(sessionID)
}

func (e *cryptoEngine) rekey() error {
	return fmt.Errorf("client: rekeying on request: %w", errors.ErrUnsupported)
}

// mayAuthenticate is needed because x/crypto asks for methods even after the
// connection has ended. Without another method it returns the error that ended
// its reading.
func (e *cryptoEngine) mayAuthenticate(first bool) (bool, error) {
	if err := e.transport.Ended(); err != nil {
		return false, err
	}
	return first || !e.transport.ReaderGone(), nil
}

// ownEngine uses packages transport, userauth and connection.
type ownEngine struct {
	d       *dialer
	reading *xssh.Conn // records the first error
	conn    *transport.Conn
	greeted bool
}

func (e *ownEngine) connect(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	d := e.d
	config, err := d.sshConfig(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	e.conn, err = transport.Client(noted{e.reading}, &transport.Config{
		Version:           config.ClientVersion,
		KeyExchanges:      config.KeyExchanges,
		HostKeyAlgorithms: config.HostKeyAlgorithms,
		Ciphers:           config.Ciphers,
		MACs:              config.MACs,
		Rand:              d.opts.Rand,
		RekeyBytes:        uint64(max(0, d.cfg.RekeyLimit.Bytes)),
		RekeyInterval:     time.Duration(d.cfg.RekeyLimit.Time),
		HostKey: func(k transport.HostKey) error {
			return d.keys.callback(d.address(), d.watched.RemoteAddr(), k.Key)
		},
		OnLine: d.noticed,
		OnVersion: func(line string) {
			e.greeted = true
			d.greeted(line)
		},
	})
	if err != nil {
		return nil, nil, nil, err
	}
	meta := metadata{e.conn, d.cfg.User}
	st := authState{sessionID: e.conn.SessionID(), algorithms: meta.Algorithms()}
	d.auth.begin(&st)
	err = userauth.Client(e.conn, userauth.Config{
		User: d.cfg.User, Rand: d.opts.Rand, Banner: d.banner,
		Next: func(s userauth.State) (userauth.Method, error) {
			st.allowed, st.partial = s.Allowed, s.Partial
			method, err := d.auth.next(&st)
			if method == nil || err != nil {
				return nil, err
			}
			return method.own(d), nil
		},
	})
	if err != nil {
		e.conn.Close()
		return nil, nil, nil, err
	}
	c := connection.New(e.conn, connection.Options{Metadata: meta})
	return ownConn{c, meta}, c.Channels(), c.Requests(), nil
}

func (e *ownEngine) failure() error                { return e.reading.Failure() }
func (e *ownEngine) versionsExchanged() bool       { return e.greeted }
func (e *ownEngine) serverKexAlgorithms() []string { return e.conn.ServerKeyExchanges() }
func (e *ownEngine) rekey() error {
	if e.conn == nil {
		return fmt.Errorf("client: rekeying a shared connection: %w", errors.ErrUnsupported)
	}
	return e.conn.Rekey()
}

func (e *ownEngine) mayAuthenticate(bool) (bool, error) { return true, nil }

func (e *ownEngine) binding(sessionID []byte) (agentfwd.Binding, error) {
	if e.conn == nil {
		return agentfwd.Binding{}, agentfwd.ErrNoBinding
	}
	k := e.conn.HostKey()
	b := agentfwd.Binding{HostKey: k.Key, SessionID: sessionID, Signature: k.Signature}
	return b, b.Verify()
}

// ownConn is an ssh.Conn that knows its algorithms.
type ownConn struct {
	*connection.Conn
	meta metadata
}

var _ ssh.AlgorithmsConnMetadata = ownConn{}

// Algorithms returns the algorithms of the latest key exchange.
func (c ownConn) Algorithms() ssh.NegotiatedAlgorithms { return c.meta.Algorithms() }

// noted is a connection whose first error is recorded. The buffer of
// transportConn is not used: package transport has its own.
type noted struct{ *xssh.Conn }

func (n noted) Read(p []byte) (int, error) { return n.Record(n.Conn.Conn.Read(p)) }

// metadata implements ssh.ConnMetadata.
type metadata struct {
	conn *transport.Conn
	user string
}

func (m metadata) User() string          { return m.user }
func (m metadata) SessionID() []byte     { return m.conn.SessionID() }
func (m metadata) ClientVersion() []byte { return []byte(m.conn.ClientVersion()) }
func (m metadata) ServerVersion() []byte { return []byte(m.conn.ServerVersion()) }
func (m metadata) RemoteAddr() net.Addr  { return m.conn.RemoteAddr() }
func (m metadata) LocalAddr() net.Addr   { return m.conn.LocalAddr() }

func (m metadata) Algorithms() ssh.NegotiatedAlgorithms {
	a := m.conn.Algorithms()
	return ssh.NegotiatedAlgorithms{KeyExchange: a.KeyExchange, HostKey: a.HostKey,
		Read:  ssh.DirectionAlgorithms{Cipher: a.Read.Cipher, MAC: a.Read.MAC},
		Write: ssh.DirectionAlgorithms{Cipher: a.Write.Cipher, MAC: a.Write.MAC}}
}
