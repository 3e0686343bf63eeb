package keepalive

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tcpQueue reads the state of a TCP connection's send queue from the kernel. Only
// one goroutine at a time may use it.
type tcpQueue struct {
	raw syscall.RawConn
	ask func(fd uintptr) // the method query, bound once

	acked, queued uint64
	err           error
}

// newTCPQueue returns a tcpQueue for c, or nil if c is not a TCP connection of the
// kernel.
func newTCPQueue(c net.Conn) *tcpQueue {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	q := &tcpQueue{raw: raw}
	q.ask = q.query
	return q
}

// measure returns the number of bytes that the peer has acknowledged, counted from
// an arbitrary point, and the number of queued bytes that it has not. If the queue
// is empty, the first number is zero, since it is not needed.
func (q *tcpQueue) measure() (acked, queued uint64, ok bool) {
	q.acked, q.queued, q.err = 0, 0, nil
	if err := q.raw.Control(q.ask); err != nil || q.err != nil {
		return 0, 0, false
	}
	return q.acked, q.queued, true
}

func (q *tcpQueue) query(fd uintptr) {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil || n <= 0 {
		q.err = err
		return
	}
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		q.err = err
		return
	}
	q.queued, q.acked = uint64(n), info.Bytes_acked
}
