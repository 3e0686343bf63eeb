//go:build !linux

package keepalive

import (
	"context"
	"errors"
	"fmt"
)

// WatchNetwork returns a channel that delivers when links, addresses or routes
// of this machine change; changes that come while nobody listens are one. One
// watcher does for a process: call Hint of each Monitor. It ends, and the
// channel is closed, when ctx is done. On systems other than Linux the error
// is errors.ErrUnsupported and the channel nil, which never delivers.
func WatchNetwork(context.Context) (<-chan struct{}, error) {
	return nil, fmt.Errorf("keepalive: watching the network: %w", errors.ErrUnsupported)
}
