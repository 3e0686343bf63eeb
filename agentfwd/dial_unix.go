//go:build !windows

package agentfwd

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// platformDefault is the agent of an unset SSH_AUTH_SOCK: none on Unix.
const platformDefault = ""

// backlogRetry is the pause while an agent's queue of connections is full.
const backlogRetry = 10 * time.Millisecond

// dialAddress connects to the Unix socket of an agent. Linux refuses with
// EAGAIN, where a blocking connect would wait, while more connections are
// queued than the agent listens for: a burst, or a hanging agent, which ctx
// ends the waiting for.
func dialAddress(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", address)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(backlogRetry):
		}
	}
}
