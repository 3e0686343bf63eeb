package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gossh-project/gossh/sshconfig"
)

// connect returns the network connection for SSH: a jump host's, a
// ProxyCommand's, or TCP.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	switch {
	case len(d.cfg.ProxyJump) > 0:
		return d.jump(ctx)
	case d.cfg.ProxyCommand != "":
		return d.proxy(ctx)
	}
	return d.connectTCP(ctx)
}

// proxyCommand starts the ProxyCommand. sshconfig has checked the host and user
// names in it.
func (d *dialer) proxyCommand(ctx context.Context) (net.Conn, error) {
	d.debugf("Executing proxy command: exec %s", d.cfg.ProxyCommand)
	conn, err := dialProxyCommand(ctx, userShell(), d.cfg.ProxyCommand, d.opts.ProxyStderr, d.opts.ProxyApart)
	if err != nil {
		return nil, d.connectError(err)
	}
	return conn, nil
}

// userShell returns the shell that runs commands of the configuration.
func userShell() string {
	if s := os.Getenv("SHELL"); s != "" {
		return s
	}
	return defaultShell
}

// connectTCP makes ConnectionAttempts attempts, one second apart.
func (d *dialer) connectTCP(ctx context.Context) (net.Conn, error) {
	var last error
	for i := range max(1, d.cfg.ConnectionAttempts) {
		if i > 0 {
			if err := sleep(ctx, time.Second); err != nil {
				return nil, d.connectError(err)
			}
			d.debugf("Trying again...")
		}
		addrs, err := d.resolve(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := race(ctx, addrs, d.dialAddress)
		if err == nil {
			return conn, nil
		}
		last = err
		if cause := ended(ctx); cause != nil {
			last = cause
			break
		}
	}
	return nil, d.connectError(last)
}

// ended returns why ctx ended, or nil. Package net checks the deadline by itself
// and may see it pass before ctx has ended; then ended waits for ctx, which
// takes a moment.
func ended(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		<-ctx.Done()
	}
	return contextError(ctx)
}

// connectError returns the error of a connection that was not made.
func (d *dialer) connectError(err error) error { return d.connError(PhaseConnect, err) }

// resolve returns the addresses of the host in the order in which they are
// tried.
func (d *dialer) resolve(ctx context.Context) ([]netip.AddrPort, error) {
	host, network := d.cfg.HostName, "ip"
	switch d.cfg.AddressFamily {
	case sshconfig.AddressFamilyInet:
		network = "ip4"
	case sshconfig.AddressFamilyInet6:
		network = "ip6"
	}
	addrs, err := d.lookup(ctx, network, host)
	if err != nil {
		if cause := ended(ctx); cause != nil {
			return nil, d.connError(PhaseResolve, cause)
		}
		return nil, d.connError(PhaseResolve, &ResolveError{Host: host, Err: err})
	}
	addrs = interleave(addrs)
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a, uint16(d.cfg.Port))
	}
	return out, nil
}

// lookup looks up the addresses of host. An address of another family is an
// error.
func (d *dialer) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		if (network == "ip4" && !a.Is4()) || (network == "ip6" && !a.Is6()) {
			return nil, &net.DNSError{Err: "Address family for hostname not supported", Name: host}
		}
		return []netip.Addr{a}, nil
	}
	addrs, err := d.names.LookupNetIP(ctx, network, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, err
}

// dialAddress connects to one address.
func (d *dialer) dialAddress(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	d.debugf("Connecting to %s [%s] port %d.", d.cfg.HostName, addr.Addr(), addr.Port())
	if d.opts.NetDial != nil {
		return d.opts.NetDial(ctx, "tcp", addr.String())
	}
	local, err := d.bindAddress(ctx, addr.Addr())
	if err != nil {
		return nil, err
	}
	// The system decides the period, as with ssh: negative values do not set it.
	alive := net.KeepAliveConfig{Enable: d.cfg.TCPKeepAlive, Idle: -1, Interval: -1, Count: -1}
	nd := net.Dialer{LocalAddr: local, KeepAlive: -1, KeepAliveConfig: alive}
	conn, err := nd.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		d.debugf("connect to address %s port %d: %s", addr.Addr(), addr.Port(), capitalized(reason(err).Error()))
	}
	return conn, err
}

// bindAddress returns the local address that BindAddress or BindInterface names
// for a connection to peer. It returns nil if the system shall choose.
func (d *dialer) bindAddress(ctx context.Context, peer netip.Addr) (net.Addr, error) {
	switch {
	case d.cfg.BindAddress != "":
		network := "ip6"
		if peer.Is4() {
			network = "ip4"
		}
		addrs, err := d.lookup(ctx, network, d.cfg.BindAddress)
		if err != nil {
			return nil, fmt.Errorf("bind address %s: %w", d.cfg.BindAddress, err)
		}
		return &net.TCPAddr{IP: addrs[0].AsSlice(), Zone: addrs[0].Zone()}, nil
	case d.cfg.BindInterface != "":
		return interfaceAddress(d.cfg.BindInterface, peer)
	}
	return nil, nil
}

// interfaceAddress returns the first address of the interface that has the
// family of peer. It is link-local only if peer is.
func interfaceAddress(name string, peer netip.Addr) (net.Addr, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("bind interface %s: %w", name, err)
	}
	addrs, err := iface.Addrs()
	if err != nil {
		return nil, fmt.Errorf("bind interface %s: %w", name, err)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr()
		if ip.Is4() == peer.Is4() && ip.IsLinkLocalUnicast() == peer.IsLinkLocalUnicast() {
			return &net.TCPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}, nil
		}
	}
	return nil, fmt.Errorf("bind interface %s: no suitable address", name)
}

// reason returns the innermost cause of a network error, such as "connection
// refused".
func reason(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// capitalized returns the text with a capital letter first, as strerror(3) has
// it.
func capitalized(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// peerHost returns the address of the peer, or "UNKNOWN" if only a proxy knows
// it.
func peerHost(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return "UNKNOWN"
	}
	return host
}

// peerPort returns the port of the peer, or 65535 if only a proxy knows it, as
// ssh has it.
func peerPort(c net.Conn) int {
	_, port, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return 65535
	}
	n, _ := strconv.Atoi(port)
	return n
}

// attemptDelay is the Connection Attempt Delay of RFC 8305, section 8.
const attemptDelay = 250 * time.Millisecond

// dialFunc connects to one address.
type dialFunc func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)

// race connects to the first of addrs that answers. It starts an attempt when
// the one before has failed, or has not answered within 250 ms (RFC 8305,
// section 5), and closes the connections that come too late. The error is that
// of the attempt that failed last, as with ssh.
func race(ctx context.Context, addrs []netip.AddrPort, dial dialFunc) (net.Conn, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, len(addrs))
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	started, pending := 0, 0
	for {
		next := timer.C
		if started == len(addrs) {
			next = nil
		}
		select {
		case <-next:
			go tryAddress(ctx, addrs[started], dial, results)
			started++
			pending++
			timer.Reset(attemptDelay)
		case r := <-results:
			pending--
			if r.err == nil {
				go drain(results, pending)
				return r.conn, nil
			}
			last = r.err
			if started == len(addrs) && pending == 0 {
				return nil, last
			}
			timer.Reset(0)
		}
	}
}

// attempt is the result of one address.
type attempt struct {
	conn net.Conn
	err  error
}

// tryAddress connects to one address. It ends with ctx at the latest.
func tryAddress(ctx context.Context, addr netip.AddrPort, dial dialFunc, results chan<- attempt) {
	conn, err := dial(ctx, addr)
	results <- attempt{conn, err}
}

// drain closes the connections of the last n attempts, which have been
// cancelled.
func drain(results <-chan attempt, n int) {
	for range n {
		if r := <-results; r.conn != nil {
			r.conn.Close()
		}
	}
}

// interleave orders addresses as in RFC 8305, section 4: the families alternate,
// beginning with that of the first address.
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}
