package nss

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// foreignHosts reports whether the C library has a source of host names that
// package net lacks. withDNS says that DNS is one of its sources, too.
func (r *Resolver) foreignHosts() (foreign, withDNS bool) {
	for _, source := range r.sources("hosts") {
		switch source {
		case "files":
		case "dns":
			withDNS = true
		default:
			foreign = true
		}
	}
	return foreign, withDNS
}

// LookupNetIP returns the addresses of host, in the order of the C library.
// The network is "ip", "ip4" or "ip6". An IPv4 address is never in its form of
// an IPv6 address. An error of the lookup is a *net.DNSError or *net.AddrError.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr = addr.Unmap(); !ofNetwork(network, addr) {
			return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
		}
		return []netip.Addr{addr}, nil
	}
	foreign, withDNS := r.foreignHosts()
	if foreign {
		addrs, _, err := r.ahosts(ctx, network, host)
		if !errors.Is(err, errUnavailable) {
			return addrs, r.hostError(ctx, network, host, withDNS, err)
		}
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// LookupCNAME returns the canonical name of host, which may end in a dot.
func (r *Resolver) LookupCNAME(ctx context.Context, host string) (string, error) {
	foreign, withDNS := r.foreignHosts()
	if foreign {
		_, canonical, err := r.ahosts(ctx, "ip", host)
		if !errors.Is(err, errUnavailable) {
			if err == nil && canonical == "" {
				canonical = host
			}
			return canonical, r.hostError(ctx, "ip", host, withDNS, err)
		}
	}
	return net.DefaultResolver.LookupCNAME(ctx, host)
}

// DialContext connects to the addresses of a name, one after the other.
func (r *Resolver) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") || host == "" || isAddress(host) {
		return d.DialContext(ctx, network, address)
	}
	if foreign, _ := r.foreignHosts(); !foreign {
		return d.DialContext(ctx, network, address)
	}
	addrs, err := r.LookupNetIP(ctx, "ip"+strings.TrimPrefix(network, "tcp"), host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var last error
	for _, addr := range addrs {
		c, err := d.DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return c, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// hostError makes the error of package net out of one of getent, which tells
// nothing of why there is no answer. A name server that cannot be reached is
// worth another try, so package net is asked which one it is.
func (r *Resolver) hostError(ctx context.Context, network, host string, withDNS bool, err error) error {
	if !errors.Is(err, errNotFound) {
		return err // nil, or the end of ctx
	}
	if withDNS && validKey(host) {
		_, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
		var dns *net.DNSError
		if errors.As(err, &dns) && (dns.IsTemporary || dns.IsTimeout) {
			return dns
		}
	}
	return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// ahosts asks getent for the addresses and the canonical name of host.
func (r *Resolver) ahosts(ctx context.Context, network, host string) (addrs []netip.Addr, canonical string, err error) {
	database := "ahosts"
	switch network {
	case "ip4":
		database = "ahostsv4"
	case "ip6":
		database = "ahostsv6"
	}
	// ssh asks for addresses of families that no interface has, and takes the
	// name as it is.
	out, err := r.getent(ctx, []string{"--no-addrconfig", "--no-idn"}, database, host)
	if err != nil {
		return nil, "", err
	}
	addrs, canonical = parseAhosts(out, network)
	if len(addrs) == 0 {
		return nil, "", errNotFound
	}
	return addrs, canonical, nil
}

// parseAhosts reads lines such as "192.0.2.1 STREAM name": an address, a socket
// type, and the canonical name on the first one.
func parseAhosts(out []byte, network string) (addrs []netip.Addr, canonical string) {
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 {
			continue
		}
		if len(fields) > 2 && canonical == "" {
			canonical = fields[2]
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || network == "ip6" && addr.Is4In6() {
			continue // ahostsv6 also lists IPv4 addresses in that form
		}
		if addr = addr.Unmap(); ofNetwork(network, addr) && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, canonical
}

func ofNetwork(network string, addr netip.Addr) bool {
	switch network {
	case "ip4":
		return addr.Is4()
	case "ip6":
		return addr.Is6()
	}
	return true
}
