package client

import (
	"net"
	"sync/atomic"
)

// transport is the net.Conn that x/crypto reads: it takes large pieces from
// the connection below, since x/crypto's own buffer is 4 KiB, and remembers
// why reading ended, which x/crypto does not always tell.
type transport struct {
	net.Conn
	buf    []byte
	r, w   int // what buf holds
	failed atomic.Pointer[error]
	writes atomic.Int32 // up to 2: version and key exchange
}

// readSize holds two full channel packets.
const readSize = 64 << 10

func newTransport(c net.Conn) *transport {
	return &transport{Conn: c, buf: make([]byte, readSize)}
}

// Read has one caller at a time, x/crypto's read loop.
func (t *transport) Read(p []byte) (int, error) {
	if t.r < t.w {
		n := copy(p, t.buf[t.r:t.w])
		t.r += n
		return n, nil
	}
	if len(p) >= len(t.buf) {
		return t.note(t.Conn.Read(p))
	}
	n, err := t.note(t.Conn.Read(t.buf))
	t.r, t.w = 0, n
	if n == 0 {
		return 0, err
	}
	n = copy(p, t.buf[:n])
	t.r = n
	return n, nil // an error comes again with the next Read
}

func (t *transport) note(n int, err error) (int, error) {
	if err != nil {
		t.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (t *transport) Write(p []byte) (int, error) {
	if t.writes.Load() < 2 {
		t.writes.Add(1)
	}
	return t.Conn.Write(p)
}

// readError is what reading ended with, nil while it goes on.
func (t *transport) readError() error {
	if err := t.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// versionsExchanged says that the server's version line was read: x/crypto
// writes its own first, and the key exchange begins with its second write.
func (t *transport) versionsExchanged() bool { return t.writes.Load() >= 2 }
