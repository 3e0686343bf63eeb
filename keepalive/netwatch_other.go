//go:build !linux

package keepalive

import (
	"context"
	"errors"
	"fmt"
)

// WatchNetwork returns a channel that receives a value when links, addresses or routes
// of this machine change. Changes before the value is received are combined. One
// watcher is enough for a process: call Hint of each Monitor. The channel is closed
// when ctx ends. On systems other than Linux, WatchNetwork returns a nil channel and
// errors.ErrUnsupported.
func WatchNetwork(context.Context) (<-chan struct{}, error) {
	return nil, fmt.Errorf("keepalive: watching the network: %w", errors.ErrUnsupported)
}
