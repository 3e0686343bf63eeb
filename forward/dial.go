package forward

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/crypto/ssh"
)

// DialContext connects from the server to addr, as net.Dialer does from this machine.
// network is "tcp", "tcp4", "tcp6" or "unix". The server resolves names, so tcp4 and
// tcp6 apply to literal addresses only.
//
// Deadlines of the connection work as those of a TCP connection. ctx applies to the
// dialing only. The error is a *net.OpError that wraps an *OpenError,
// ErrConnectionLost or the cause of ctx.
func (f *Forwarder) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := f.restriction(); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return f.DialStdio(ctx, network, addr)
}

// DialStdio is DialContext for connections that ssh makes with -W, such as those
// through a jump host. Restrict does not apply to them.
func (f *Forwarder) DialStdio(ctx context.Context, network, addr string) (net.Conn, error) {
	target, err := parseAddr(network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if target.Socket == "" && target.Host == "" {
		target.Host = "localhost" // as in package net
	}
	remote, local := netAddr(target), net.Addr(net.TCPAddrFromAddrPort(noOrigin))
	if target.Socket != "" {
		local = &net.UnixAddr{Net: "unix"}
	}
	s, err := f.openChannel(ctx, target, noOrigin)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: err}
	}
	return newChannelConn(s, local, remote), nil
}

// netAddr returns a as a net.Addr.
func netAddr(a Addr) net.Addr {
	if a.Socket != "" {
		return &net.UnixAddr{Name: a.Socket, Net: "unix"}
	}
	return tcpAddr(a.Host, a.Port)
}

// parseAddr parses the arguments of Dial and Listen as package net does.
func parseAddr(network, addr string) (Addr, error) {
	switch network {
	case "unix":
		if addr == "" {
			return Addr{}, &net.AddrError{Err: "no socket path", Addr: addr}
		}
		return Addr{Socket: addr}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return Addr{}, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return Addr{}, err
	}
	n, ok := parsePort(port)
	if !ok {
		return Addr{}, &net.AddrError{Err: "invalid port", Addr: addr}
	}
	if ip, err := netip.ParseAddr(host); err == nil && network != "tcp" &&
		ip.Unmap().Is4() != (network == "tcp4") {
		return Addr{}, &net.AddrError{Err: "address is not of network " + network, Addr: addr}
	}
	return Addr{Host: host, Port: n}, nil
}

// Listen listens on the server, as net.ListenConfig does on this machine. network is
// "tcp", "tcp4", "tcp6" or "unix". An empty host means every interface, and with port 0
// the server chooses one. The server's GatewayPorts decides whether other hosts can
// connect.
//
// ctx applies to the request only. Up to 128 connections wait for Accept; others are
// refused. After the SSH connection has ended, Accept returns ErrConnectionLost in a
// *net.OpError.
func (f *Forwarder) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	if err := f.restriction(); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	at, err := parseAddr(network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if at.Socket == "" && at.Host == "" {
		switch network {
		case "tcp4":
			at.Host = "0.0.0.0"
		case "tcp6":
			at.Host = "::"
		default:
			at.EmptyHost = true
		}
	}
	l := &listener{forwarder: f, queue: make(chan incoming, backlog), closing: make(chan struct{})}
	remote, err := f.listenRemote(ctx, at, l.take)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: netAddr(at), Err: err}
	}
	l.remote = remote
	return l, nil
}

// backlog is the maximum number of connections that wait for Accept.
const backlog = 128

// listener is a net.Listener that listens on the server.
type listener struct {
	forwarder *Forwarder
	remote    *remoteListener
	closing   chan struct{}

	mu     sync.Mutex // between take and Close: nothing is queued after the last reject
	closed bool
	queue  chan incoming
}

// take queues a connection. Accept confirms its channel, so the server sends no data
// while the connection waits.
func (l *listener) take(in incoming) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		in.reject(ssh.Prohibited, "no such forwarding")
		return
	}
	select {
	case l.queue <- in:
	default:
		in.reject(ssh.ResourceShortage, "too many connections wait")
	}
}

// Accept returns the next connection. The peer may have closed it already, so that the
// first Read returns io.EOF.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closing:
			return nil, l.acceptError(net.ErrClosed)
		default:
		}
		select {
		case in := <-l.queue:
			s, err := in.accept()
			if err != nil {
				continue // it has been closed meanwhile
			}
			return newChannelConn(s, l.Addr(), in.origin), nil
		case <-l.closing:
			return nil, l.acceptError(net.ErrClosed)
		case <-l.forwarder.lost:
			return nil, l.acceptError(context.Cause(l.forwarder.ctx))
		}
	}
}

func (l *listener) acceptError(err error) error {
	return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}

// Addr returns the requested address, with the port that the server has chosen.
func (l *listener) Addr() net.Addr { return l.remote.addr() }

// Close asks the server to stop listening, waits up to five seconds for the answer, and
// refuses the connections that wait for Accept. Accepted connections stay open.
func (l *listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.acceptError(net.ErrClosed)
	}
	l.closed = true
	l.mu.Unlock()
	close(l.closing)
	err := l.remote.close()
	for {
		select {
		case in := <-l.queue:
			in.reject(ssh.Prohibited, "no such forwarding")
		default:
			return err
		}
	}
}
