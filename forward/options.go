package forward

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/internal/nss"
)

// Options are the parts of ssh_config(5) that decide how a forwarding behaves.
// The zero value is OpenSSH's default.
type Options struct {
	// GatewayPorts makes a Local or Dynamic without bind address listen on
	// every interface instead of loopback.
	GatewayPorts bool

	// Network is "tcp4" or "tcp6" to keep to one address family
	// (AddressFamily), and "tcp" or "" for both. It is for listening and for
	// connecting on this side; the server decides for itself.
	Network string

	// SocketMode are the permission bits of a Unix-domain socket on which a
	// Local or Dynamic listens: 0777 without the bits of StreamLocalBindMask.
	// Zero means 0600; fs.ModeSocket alone means none.
	SocketMode fs.FileMode

	// UnlinkSocket removes an existing socket of that name before listening
	// (StreamLocalBindUnlink).
	UnlinkSocket bool

	// Sockets, if set, holds the sockets on which a Local or Dynamic listens, so
	// that they stay open when the SSH connection ends. It is for one Spec.
	Sockets *Sockets

	// Permit limits where a Remote that speaks SOCKS connects (PermitRemoteOpen).
	Permit PermitOpen

	// OnFailure, if set, is told of each connection that does not reach its
	// target, from the goroutine of that connection.
	OnFailure func(ConnFailure)

	// Notify, if set, is called with each [Event], from the goroutine that it
	// happens on. It must not block.
	Notify func(Event)

	// Dial reaches the targets of a Remote on this side. Nil connects as ssh
	// does, with names from all sources of the C library. Its context ends with the forwarding.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// names looks up the names of this side: bind addresses and targets.
	names nss.Resolver
}

func (o Options) network() string {
	if o.Network == "" {
		return "tcp"
	}
	return o.Network
}

func (o Options) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, network, addr)
	}
	return o.names.DialContext(ctx, network, addr)
}

// PermitOpen is ssh_config's PermitRemoteOpen: where a Remote that speaks
// SOCKS may connect. The zero value permits everything.
type PermitOpen struct {
	restricted bool
	rules      []permitRule
}

type permitRule struct {
	host string // "*" is any
	port int    // 0 is any
}

// PermitError is an argument of PermitRemoteOpen that does not parse.
type PermitError struct {
	Arg    string
	Reason string // OpenSSH's words, such as "missing host"
}

func (e *PermitError) Error() string { return e.Reason + " in permitremoteopen: " + e.Arg }

// ParsePermitOpen parses the arguments of PermitRemoteOpen: "any" or "none"
// alone, or host:port, IPv4:port and [IPv6]:port, in each of which * stands for
// every host or every port. There are no other patterns and no names are looked
// up: what the SOCKS client says is compared as it stands. No argument means
// any. The error is a *PermitError.
func ParsePermitOpen(args []string) (PermitOpen, error) {
	p := PermitOpen{restricted: len(args) > 0}
	for _, arg := range args {
		if any := strings.EqualFold(arg, "any"); any || strings.EqualFold(arg, "none") {
			if len(args) > 1 {
				return PermitOpen{}, &PermitError{arg, fmt.Sprintf("%q must appear alone", arg)}
			}
			return PermitOpen{restricted: !any}, nil
		}
		rule, reason := parsePermitRule(arg)
		if reason != "" {
			return PermitOpen{}, &PermitError{arg, reason}
		}
		p.rules = append(p.rules, rule)
	}
	return p, nil
}

func parsePermitRule(arg string) (r permitRule, reason string) {
	var port string
	if strings.HasPrefix(arg, "[") {
		host, rest, ok := strings.Cut(arg[1:], "]")
		if !ok || rest != "" && rest[0] != ':' {
			return r, "missing host"
		}
		r.host, port = host, strings.TrimPrefix(rest, ":")
	} else {
		i := strings.IndexAny(arg, ":/")
		if i < 0 {
			return r, "bad port number"
		}
		if arg[i] == '/' {
			return r, "missing host"
		}
		r.host, port = arg[:i], arg[i+1:]
	}
	if port == "*" {
		return r, ""
	}
	var ok bool
	if r.port, ok = parsePort(port); !ok || r.port == 0 {
		return r, "bad port number"
	}
	return r, ""
}

// Allows reports whether a SOCKS client may have a connection to host and port.
func (p PermitOpen) Allows(host string, port int) bool {
	if !p.restricted {
		return true
	}
	for _, r := range p.rules {
		if (r.host == "*" || r.host == host) && (r.port == 0 || r.port == port) {
			return true
		}
	}
	return false
}

// String returns the arguments of PermitRemoteOpen that parse to p.
func (p PermitOpen) String() string {
	switch {
	case !p.restricted:
		return "any"
	case len(p.rules) == 0:
		return "none"
	}
	var out []string
	for _, r := range p.rules {
		host, port := r.host, "*"
		if strings.ContainsAny(host, ":/") {
			host = "[" + host + "]"
		}
		if r.port != 0 {
			port = strconv.Itoa(r.port)
		}
		out = append(out, host+":"+port)
	}
	return strings.Join(out, " ")
}
