//go:build !windows

package agentfwd

import (
	"context"
	"net"
)

// platformDefault is the agent of an unset SSH_AUTH_SOCK: none on Unix.
const platformDefault = ""

// dialAddress connects to the Unix socket of an agent.
func dialAddress(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", address)
}
