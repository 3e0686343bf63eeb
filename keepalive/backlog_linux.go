package keepalive

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tcpQueue asks the kernel about the send queue of a TCP connection. One
// goroutine at a time may use it.
type tcpQueue struct {
	raw syscall.RawConn
	ask func(fd uintptr) // the method query, bound once

	acked, queued uint64
	err           error
}

// newTCPQueue returns nil if c is not a TCP connection of the system.
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

// measure returns how many bytes the peer has acknowledged, counted from
// somewhere, and how many are queued that it has not. With an empty queue the
// first is not looked up, and zero.
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
