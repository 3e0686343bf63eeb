package hostkey

import (
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is the port that known_hosts leaves out.
const defaultPort = 22

// Target is the host to connect to.
type Target struct {
	// Host is the name or address that was asked for, after Hostname and
	// canonicalisation; its case does not matter.
	Host string
	// Alias is HostKeyAlias, "" if unset. It takes Host's place and
	// suppresses the port.
	Alias string
	// Port is the TCP port; zero is 22.
	Port int
	// Addr is the peer's address, the zero Addr behind a ProxyCommand or a
	// jump host, where it is not known.
	Addr netip.Addr
}

// Name returns the name of the host in known_hosts: the alias, the bare host for
// port 22, or "[host]:port".
func (t Target) Name() string {
	if t.Alias != "" {
		return strings.ToLower(t.Alias)
	}
	return hostPort(t.Host, t.port())
}

// Address returns the peer's address in the form of known_hosts, or "" if it is
// not known.
func (t Target) Address() string {
	if !t.Addr.IsValid() {
		return ""
	}
	return hostPort(t.Addr.Unmap().String(), t.port())
}

func (t Target) port() int {
	if t.Port == 0 {
		return defaultPort
	}
	return t.Port
}

// certName is the name that a certificate's principals are compared with; it
// never has a port.
func (t Target) certName() string {
	if t.Alias != "" {
		return strings.ToLower(t.Alias)
	}
	return strings.ToLower(t.Host)
}

// withoutPort is the target for the second look-up that OpenSSH makes when
// nothing is known of "[host]:port".
func (t Target) withoutPort() Target {
	t.Port = defaultPort
	return t
}

// isLocal reports a loopback address; behind a proxy nothing is local.
func (t Target) isLocal() bool { return t.Addr.IsValid() && t.Addr.Unmap().IsLoopback() }

// hasAddressOnly reports that the host was named by its address, so that
// CheckHostIP would look up the same thing twice.
func (t Target) hasAddressOnly() bool {
	return strings.EqualFold(t.Host, t.Addr.Unmap().String()) || strings.EqualFold(t.Host, t.Addr.String())
}

// hostPort is put_host_port of OpenSSH's misc.c, lower-cased.
func hostPort(host string, port int) string {
	host = strings.ToLower(host)
	if port == defaultPort {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}
