package keepalive

import (
	"errors"
	"net"
	"syscall"
)

// moved says whether the connection's own address is gone while the peer can
// be reached from another. What is not known is not so.
func (m *Monitor) moved() bool {
	if m.opts.Moved != nil {
		return m.opts.Moved()
	}
	if m.watched == nil {
		return false
	}
	local, ok := m.watched.LocalAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	remote, ok := m.watched.RemoteAddr().(*net.TCPAddr)
	return ok && addressGone(local, remote)
}

// addressGone asks the kernel, by way of UDP sockets that send nothing: one
// bound to local cannot be had, and one that is not finds a route to remote.
// Without a route it is an outage, which may pass, and the address come back.
func addressGone(local, remote *net.TCPAddr) bool {
	if local.IP.IsLoopback() {
		return false
	}
	to := &net.UDPAddr{IP: remote.IP, Port: remote.Port, Zone: remote.Zone}
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone}, to)
	if err == nil {
		c.Close()
		return false
	}
	// Windows has a number of its own for it, which means nothing elsewhere.
	const wsaAddrNotAvail = syscall.Errno(10049)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, wsaAddrNotAvail) {
		return false
	}
	c, err = net.DialUDP("udp", nil, to)
	if err != nil {
		return false
	}
	defer c.Close()
	// A default route that outlived the address leads to a source of no use.
	from, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && from.IP.IsGlobalUnicast()
}
