package forward

import (
	"context"
	"io/fs"
	"net"

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
