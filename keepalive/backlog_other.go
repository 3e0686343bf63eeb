//go:build !linux

package keepalive

import "net"

// A tcpQueue is not available on this system: see backlog.
type tcpQueue struct{}

func newTCPQueue(net.Conn) *tcpQueue { return nil }

func (*tcpQueue) measure() (acked, queued uint64, ok bool) { return 0, 0, false }
