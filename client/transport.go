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

// transportConn is the net.Conn below x/crypto. It reads in large pieces, since
// x/crypto's buffer has 4 KiB, and records the first error, which x/crypto does
// not always return.
type transportConn struct {
	net.Conn
	buf    []byte
	r, w   int // buf[r:w] has not been read
	failed atomic.Pointer[error]
	closed atomic.Pointer[error] // the first failure caused by closing on this side

	receiving atomic.Bool   // a Read of the connection below is in progress
	shut      chan struct{} // closed by Close
	shutOnce  sync.Once
	steps     chan struct{} // wakes readerGone when a Read begins

	greeted  atomic.Bool                   // the server's identification was read
	onGreet  func(line string)             // called with it, if set
	onNotice func(number int, line string) // called with each line before it, if set
	head     []byte                        // the rest of it that has not been read
}

// readSize is enough for two full channel packets.
const readSize = 64 << 10

func newTransport(c net.Conn) *transportConn {
	return &transportConn{Conn: c, buf: make([]byte, readSize), shut: make(chan struct{}), steps: make(chan struct{}, 1)}
}

// Read is called by x/crypto's read loop only.
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
	return n, nil // the next Read returns the error
}

// receive reads from the connection below.
func (t *transportConn) receive(p []byte) (int, error) {
	t.receiving.Store(true)
	t.step()
	n, err := t.note(t.Conn.Read(p))
	t.receiving.Store(false)
	return n, err
}

// note records the first error, except errors that come from closing on this
// side.
func (t *transportConn) note(n int, err error) (int, error) {
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

// readerLimit limits the wait of readerGone. It is reached only if a server
// sends more packets than x/crypto queues during authentication.
const readerLimit = 100 * time.Millisecond

// readerGone reports whether x/crypto's read loop has ended. The loop either
// reads again at once, or ends and closes the connection. x/crypto does not
// report this when it asks for the next authentication method.
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

// checkVersion accepts protocol version 2, and 1.99 of servers of both versions
// (RFC 4253, section 5.1).
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

// failure returns the first error of reading or writing, or nil.
func (t *transportConn) failure() error {
	if err := t.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// ended returns the first error of reading or writing, whichever side caused it,
// or nil.
func (t *transportConn) ended() error {
	if err := t.failure(); err != nil {
		return err
	}
	if err := t.closed.Load(); err != nil {
		return *err
	}
	return nil
}

// versionsExchanged reports whether the server's identification was read.
func (t *transportConn) versionsExchanged() bool { return t.greeted.Load() }

// identificationStart begins the server's identification, and no line before it
// (RFC 4253, section 4.2).
const identificationStart = "SSH-"

// OpenSSH's limits for the lines before the identification.
const (
	maxNoticeLine  = 8192 // bytes in a line
	maxNoticeLines = 1024
)

// Causes of a [VersionError] without an identification.
var (
	ErrLineTooLong  = errors.New("client: a line before the identification is too long")
	ErrLineInvalid  = errors.New("client: a line before the identification has invalid characters")
	ErrTooManyLines = errors.New("client: too many lines before the identification")
)

// identification parses the lines up to the server's identification. x/crypto
// accepts only lines of less than 255 bytes before it, and does not check the
// version: with a server of protocol 1 it would wait for ever.
type identification struct {
	line     []byte
	carriage bool // the last byte was a CR
	lines    int  // the number of lines before the identification
	notice   func(number int, line string)
}

// next parses a byte. It reports true when line is the identification.
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

// identify reads up to the end of the identification, which it leaves to be read
// with what follows it.
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
