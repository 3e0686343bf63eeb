package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// transportConn is the net.Conn that x/crypto reads: it takes large pieces from
// the connection below, since x/crypto's own buffer is 4 KiB, and remembers
// what failed first, which x/crypto does not always tell.
type transportConn struct {
	net.Conn
	buf    []byte
	r, w   int // what buf holds
	failed atomic.Pointer[error]
	closed atomic.Pointer[error] // the first failure that came from closing on this side

	receiving atomic.Bool   // a Read waits for the connection below
	shut      chan struct{} // closed by Close
	shutOnce  sync.Once
	steps     chan struct{} // wakes readerGone when a Read begins

	greeted  atomic.Bool                   // the server's identification was read
	onGreet  func(line string)             // called with it, if set
	onNotice func(number int, line string) // called with each line before it, if set
	head     []byte                        // what is left to be read of it
}

// readSize holds two full channel packets.
const readSize = 64 << 10

func newTransport(c net.Conn) *transportConn {
	return &transportConn{Conn: c, buf: make([]byte, readSize), shut: make(chan struct{}), steps: make(chan struct{}, 1)}
}

// Read has one caller at a time, x/crypto's read loop.
func (t *transportConn) Read(p []byte) (int, error) {
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
	return n, nil // an error comes again with the next Read
}

// receive reads from the connection below.
func (t *transportConn) receive(p []byte) (int, error) {
	t.receiving.Store(true)
	t.step()
	n, err := t.note(t.Conn.Read(p))
	t.receiving.Store(false)
	return n, err
}

// note keeps the first failure. What fails because we have closed the
// connection tells nothing.
func (t *transportConn) note(n int, err error) (int, error) {
	if err == nil {
		return n, nil
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		t.closed.CompareAndSwap(nil, &err)
		return n, err
	}
	if !t.failed.CompareAndSwap(nil, &err) && errors.Is(err, syscall.ECONNRESET) {
		// The system tells one call of a reset, and others that there is an
		// end: a reader may have been quicker with that.
		if first := t.failed.Load(); errors.Is(*first, io.EOF) || errors.Is(*first, syscall.EPIPE) {
			t.failed.CompareAndSwap(first, &err)
		}
	}
	return n, err
}

// Close closes the connection below. x/crypto does so, too, when it received
// something that it could not decrypt.
func (t *transportConn) Close() error {
	t.shutOnce.Do(func() { close(t.shut) })
	return t.Conn.Close()
}

func (t *transportConn) step() {
	select {
	case t.steps <- struct{}{}:
	default:
	}
}

// readerLimit bounds what readerGone waits. It is used up only if a server
// sends more packets than x/crypto queues while it authenticates.
const readerLimit = 100 * time.Millisecond

// readerGone reports whether x/crypto's read loop has ended. The loop either
// reads again, at once, or ends and closes the connection: x/crypto says
// neither when it asks for the next authentication method.
func (t *transportConn) readerGone() bool {
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

func (t *transportConn) Write(p []byte) (int, error) { return t.note(t.Conn.Write(p)) }

// checkVersion takes protocol 2, and 1.99 for a server of both (RFC 4253,
// section 5.1).
func checkVersion(line string) error {
	var major, minor int
	var software rune
	if _, err := fmt.Sscanf(line, identificationStart+"%d.%d-%c", &major, &minor, &software); err != nil {
		return &VersionError{Line: line}
	}
	if major == 2 || major == 1 && minor == 99 {
		return nil
	}
	return &VersionError{Line: line, Major: major}
}

// failure is what reading or writing ended with, nil while both go on.
func (t *transportConn) failure() error {
	if err := t.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// ended returns the first failure of reading or writing, no matter which side
// caused it, or nil while both go on.
func (t *transportConn) ended() error {
	if err := t.failure(); err != nil {
		return err
	}
	if err := t.closed.Load(); err != nil {
		return *err
	}
	return nil
}

// versionsExchanged says that the server's version line was read.
func (t *transportConn) versionsExchanged() bool { return t.greeted.Load() }

// identificationStart is what the server's identification begins with, as
// opposed to the lines that it may send before it (RFC 4253, section 4.2).
const identificationStart = "SSH-"

// OpenSSH's limits on what comes before the key exchange.
const (
	maxNoticeLine  = 8192 // bytes of a line
	maxNoticeLines = 1024
)

// Causes of a [VersionError] of a server that sends no identification.
var (
	ErrLineTooLong  = errors.New("client: a line before the identification is too long")
	ErrLineInvalid  = errors.New("client: a line before the identification has invalid characters")
	ErrTooManyLines = errors.New("client: too many lines before the identification")
)

// identification reads the lines that a server begins with, up to its
// identification. x/crypto takes notice lines of less than 255 bytes only, and
// does not look at the version: with a server of protocol 1 it would wait for
// ever.
type identification struct {
	line     []byte
	carriage bool // a CR was read, and nothing since
	lines    int  // notice lines so far
	notice   func(number int, line string)
}

// next takes the next byte. It reports true when line is the identification.
func (id *identification) next(ch byte) (bool, error) {
	switch {
	case ch == '\r':
		id.carriage = true
		return false, nil
	case ch == '\n':
		return id.endLine()
	case ch == 0 || id.carriage:
		return false, &VersionError{Line: string(id.line), Err: ErrLineInvalid}
	case len(id.line) == maxNoticeLine:
		return false, &VersionError{Line: string(id.line), Err: ErrLineTooLong}
	}
	id.line = append(id.line, ch)
	return false, nil
}

func (id *identification) endLine() (bool, error) {
	id.carriage = false
	if len(id.line) > len(identificationStart) && bytes.HasPrefix(id.line, []byte(identificationStart)) {
		return true, checkVersion(string(id.line))
	}
	if id.notice != nil {
		id.notice(id.lines, string(id.line))
	}
	id.line = id.line[:0]
	if id.lines++; id.lines == maxNoticeLines {
		return false, &VersionError{Err: ErrTooManyLines}
	}
	return false, nil
}

// identify reads up to the end of the identification, and leaves that, and
// what came after it, to be read.
func (t *transportConn) identify() error {
	id := identification{notice: t.onNotice}
	for {
		n, err := t.receive(t.buf)
		for i, ch := range t.buf[:n] {
			done, bad := id.next(ch)
			if bad != nil {
				_, bad = t.note(0, bad)
				return bad
			}
			if !done {
				continue
			}
			t.head = append(id.line, '\r', '\n')
			t.r, t.w = i+1, n
			t.greeted.Store(true)
			if t.onGreet != nil {
				t.onGreet(string(id.line))
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
