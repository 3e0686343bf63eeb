package keepalive

import (
	"errors"
	"net"
	"syscall"
)

// moved reports whether this machine no longer has the local address of the connection
// while the peer can be reached from another. It reports false if this is not known.
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

// addressGone reports whether local is not an address of this machine while there is a
// route to remote. It creates UDP sockets, which send nothing. Without a route there
// is an outage, after which the address may return.
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
	// Windows has another error number for it, which other systems do not use.
	const wsaAddrNotAvail = syscall.Errno(10049)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, wsaAddrNotAvail) {
		return false
	}
	c, err = net.DialUDP("udp", nil, to)
	if err != nil {
		return false
	}
	defer c.Close()
	// A default route that remains without an address yields no usable source.
	from, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && from.IP.IsGlobalUnicast()
}
