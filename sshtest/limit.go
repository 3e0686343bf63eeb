package sshtest

import (
	"net"
	"sync/atomic"
)

// limitedConn cuts a connection after a number of bytes.
type limitedConn struct {
	net.Conn
	toSend, toReceive atomic.Int64
}

func limitConn(nc net.Conn, f Faults) net.Conn {
	if f.DropAfterSent <= 0 && f.DropAfterReceived <= 0 {
		return nc
	}
	const never = 1 << 62
	l := &limitedConn{Conn: nc}
	l.toSend.Store(never)
	l.toReceive.Store(never)
	if f.DropAfterSent > 0 {
		l.toSend.Store(f.DropAfterSent)
	}
	if f.DropAfterReceived > 0 {
		l.toReceive.Store(f.DropAfterReceived)
	}
	return l
}

func (l *limitedConn) Write(p []byte) (int, error) {
	left := l.toSend.Add(-int64(len(p)))
	if left > 0 {
		return l.Conn.Write(p)
	}
	n := max(left+int64(len(p)), 0)
	l.Conn.Write(p[:n])
	l.Conn.Close()
	return int(n), errFault
}

func (l *limitedConn) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.toReceive.Add(-int64(n)) <= 0 {
		l.Conn.Close()
		return 0, errFault
	}
	return n, err
}
