package forward

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// bindAddr is one address on which a local listener is made.
type bindAddr struct {
	network string // tcp4 or tcp6, so that each family has a socket of its own
	host    string
}

// bindAddrs gives the addresses that a listening Addr stands for, as OpenSSH's
// channel_fwd_bind_addr chooses them for a client: without bind address
// loopback, or every interface with GatewayPorts; for an empty one and * every
// interface; for localhost the loopback of each family; otherwise what was
// named.
func bindAddrs(ctx context.Context, a Addr, opts Options) ([]bindAddr, error) {
	var all []bindAddr
	switch {
	case a.Host == "" && (a.EmptyHost || opts.GatewayPorts), a.Host == "*":
		all = []bindAddr{{"tcp4", "0.0.0.0"}, {"tcp6", "::"}}
	case a.Host == "", a.Host == "localhost":
		all = []bindAddr{{"tcp6", "::1"}, {"tcp4", "127.0.0.1"}} // getaddrinfo's order
	default:
		ips, err := opts.names.LookupNetIP(ctx, "ip", a.Host)
		if err != nil {
			return nil, err
		}
		for _, ip := range ips {
			network := "tcp6"
			if ip.Is4() {
				network = "tcp4"
			}
			all = append(all, bindAddr{network, ip.String()})
		}
	}
	var out []bindAddr
	for _, b := range all {
		if n := opts.network(); n == "tcp" || n == b.network {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return nil, &net.AddrError{Err: "no address of the wanted family", Addr: a.Host}
	}
	return out, nil
}

// listenTCP listens on each address that a stands for. As with OpenSSH one
// success is enough: a machine without IPv6 still forwards on IPv4.
//
// Port 0, which the parser does not allow but a program may use, is the same
// free port on each address.
//
// failed are the addresses that could not be had beside those that could.
func (f *Forwarder) listenTCP(ctx context.Context, a Addr, opts Options) (lns []net.Listener, failed []BindError, err error) {
	binds, err := bindAddrs(ctx, a, opts)
	if err != nil {
		return nil, nil, &ListenError{Addr: a, Err: err}
	}
	const tries = 10 // until a port is free in both families
	for range tries {
		lns, failed = listenEach(ctx, binds, a.Port)
		if len(failed) == 0 {
			return lns, nil, nil
		}
		err = failed[len(failed)-1].Err
		taken := errors.Is(err, syscall.EADDRINUSE)
		if len(lns) > 0 && !(taken && a.Port == 0) {
			f.log.Log(ctx, levelDebug2, "not listening on every address", "listen", a.String(), "error", err)
			return lns, failed, nil
		}
		for _, ln := range lns {
			ln.Close()
		}
		if len(lns) == 0 {
			break
		}
	}
	return nil, nil, &ListenError{Addr: a, Binds: failed, Err: err}
}

// listenEach listens on every address that lets it, and tells of the others.
func listenEach(ctx context.Context, binds []bindAddr, port int) (lns []net.Listener, failed []BindError) {
	var lc net.ListenConfig
	for i, b := range binds {
		ln, err := lc.Listen(ctx, b.network, net.JoinHostPort(b.host, strconv.Itoa(port)))
		if err != nil {
			failed = append(failed, BindError{b.host, port, i == len(binds)-1, err})
			continue
		}
		lns = append(lns, ln)
		port = ln.Addr().(*net.TCPAddr).Port
	}
	return lns, failed
}
