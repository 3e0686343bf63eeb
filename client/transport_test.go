package client

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// endingConn is a net.Conn that fails.
type endingConn struct {
	net.Conn
	read, write error
}

func (c *endingConn) Read([]byte) (int, error)  { return 0, c.read }
func (c *endingConn) Write([]byte) (int, error) { return 0, c.write }

// TestTransportFailure: the first failure counts, but a reset, of which the
// system tells one call alone, counts more than the end that it tells others.
func TestTransportFailure(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct{ first, second, want error }{
		{io.EOF, syscall.EPIPE, io.EOF},
		{other, syscall.ECONNRESET, other},
		{syscall.ECONNRESET, io.EOF, syscall.ECONNRESET},
		{io.EOF, syscall.ECONNRESET, syscall.ECONNRESET},
		{syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNRESET},
		{net.ErrClosed, io.EOF, io.EOF},
		{net.ErrClosed, net.ErrClosed, nil},
	} {
		tr := newTransport(&endingConn{read: c.first, write: c.second})
		tr.Read(make([]byte, 10))
		tr.Write([]byte("x"))
		if got := tr.failure(); got != c.want {
			t.Errorf("%v, then %v: %v", c.first, c.second, got)
		}
	}
}
