package xssh

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/transport"
)

// A Conn is the net.Conn below x/crypto. It reads in large pieces, since
// x/crypto's buffer has 4 KiB, and records the first error, which x/crypto does
// not always return.
type Conn struct {
	net.Conn

	// OnVersion, if set, is called with the server's identification, and OnLine
	// with each line before it, numbered from 0.
	OnVersion func(line string)
	OnLine    func(number int, line string)

	buf    []byte
	r, w   int // buf[r:w] has not been read
	failed atomic.Pointer[error]
	closed atomic.Pointer[error] // the first failure caused by closing on this side

	receiving atomic.Bool   // a Read of the connection below is in progress
	shut      chan struct{} // closed by Close
	shutOnce  sync.Once
	steps     chan struct{} // wakes ReaderGone when a Read begins

	greeted atomic.Bool // the server's identification was read
	head    []byte      // the rest of it that has not been read
}

// readSize is enough for two full channel packets.
const readSize = 64 << 10

// NewConn returns a Conn that reads from c and writes to it. Its OnVersion and OnLine
// may be set before the first Read.
func NewConn(c net.Conn) *Conn {
	return &Conn{Conn: c, buf: make([]byte, readSize), shut: make(chan struct{}), steps: make(chan struct{}, 1)}
}

// Read is called by x/crypto's read loop only.
func (t *Conn) Read(p []byte) (int, error) {
	if !t.greeted.Load() {
		if err := t.identify(); err != nil {
			return 0, err
		}
	}
	if len(t.head) > 0 {
		n := copy(p, t.head)
		t.head = t.head[n:]
		return n, nil
	}
	if t.r < t.w {
		n := copy(p, t.buf[t.r:t.w])
		t.r += n
		return n, nil
	}
	if len(p) >= len(t.buf) {
		return t.receive(p)
	}
	n, err := t.receive(t.buf)
	t.r, t.w = 0, n
	if n == 0 {
		return 0, err
	}
	n = copy(p, t.buf[:n])
	t.r = n
	return n, nil // the next Read returns the error
}

// receive reads from the connection below.
func (t *Conn) receive(p []byte) (int, error) {
	t.receiving.Store(true)
	t.step()
	n, err := t.Record(t.Conn.Read(p))
	t.receiving.Store(false)
	return n, err
}

// Record records the first error, except errors that come from closing on this
// side.
func (t *Conn) Record(n int, err error) (int, error) {
	if err == nil {
		return n, nil
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		t.closed.CompareAndSwap(nil, &err)
		return n, err
	}
	if !t.failed.CompareAndSwap(nil, &err) && errors.Is(err, syscall.ECONNRESET) {
		// The system reports a reset to one call, and an end to others, which
		// may come first.
		if first := t.failed.Load(); errors.Is(*first, io.EOF) || errors.Is(*first, syscall.EPIPE) {
			t.failed.CompareAndSwap(first, &err)
		}
	}
	return n, err
}

// Close closes the connection below. x/crypto also calls it after a packet that
// it could not decrypt.
func (t *Conn) Close() error {
	t.shutOnce.Do(func() { close(t.shut) })
	return t.Conn.Close()
}

func (t *Conn) step() {
	select {
	case t.steps <- struct{}{}:
	default:
	}
}

// readerLimit limits the wait of ReaderGone. It is reached only if a server
// sends more packets than x/crypto queues during authentication.
const readerLimit = 100 * time.Millisecond

// ReaderGone reports whether x/crypto's read loop has ended. The loop either
// reads again at once, or ends and closes the connection. x/crypto does not
// report this when it asks for the next authentication method.
func (t *Conn) ReaderGone() bool {
	limit := time.NewTimer(readerLimit)
	defer limit.Stop()
	for !t.receiving.Load() {
		select {
		case <-t.shut:
			return true
		case <-t.steps:
		case <-limit.C:
			return false
		}
	}
	return false
}

func (t *Conn) Write(p []byte) (int, error) { return t.Record(t.Conn.Write(p)) }

// Failure returns the first error of reading or writing, or nil.
func (t *Conn) Failure() error {
	if err := t.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Ended returns the first error of reading or writing, whichever side caused it,
// or nil.
func (t *Conn) Ended() error {
	if err := t.Failure(); err != nil {
		return err
	}
	if err := t.closed.Load(); err != nil {
		return *err
	}
	return nil
}

// VersionRead reports whether the server's identification was read.
func (t *Conn) VersionRead() bool { return t.greeted.Load() }

// identify reads up to the end of the identification, which it leaves to be read
// with what follows it. x/crypto accepts only lines of less than 255 bytes before
// it, and does not check the version: with a server of protocol 1 it would wait
// for ever.
func (t *Conn) identify() error {
	id := transport.VersionParser{OnLine: t.OnLine}
	for {
		n, err := t.receive(t.buf)
		for i, ch := range t.buf[:n] {
			line, bad := id.Next(ch)
			if bad != nil {
				_, bad = t.Record(0, bad)
				return bad
			}
			if line == "" {
				continue
			}
			t.head = append([]byte(line), '\r', '\n')
			t.r, t.w = i+1, n
			t.greeted.Store(true)
			if t.OnVersion != nil {
				t.OnVersion(line)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
