package xssh

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/gossh-project/gossh/transport"
)

// Limits of package transport.
const (
	maxLine  = 8192
	maxLines = 1024
)

// endingConn is a net.Conn that fails.
type endingConn struct {
	net.Conn
	read, write error
}

func (c *endingConn) Read([]byte) (int, error)  { return 0, c.read }
func (c *endingConn) Write([]byte) (int, error) { return 0, c.write }

// TestFailure checks that the first failure is recorded, except that a reset, which
// the system reports to one call only, replaces the end that it reports to others.
func TestFailure(t *testing.T) {
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
		tr := NewConn(&endingConn{read: c.first, write: c.second})
		tr.Read(make([]byte, 10))
		tr.Write([]byte("x"))
		if got := tr.Failure(); got != c.want {
			t.Errorf("%v, then %v: %v", c.first, c.second, got)
		}
	}
}

// bytesConn is a net.Conn that gives what it has.
type bytesConn struct {
	net.Conn
	io.Reader
}

func (c bytesConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// TestIdentification checks that the identification is found in pieces of any size,
// and that one of another protocol ends the reading.
func TestIdentification(t *testing.T) {
	line := strings.Repeat("n", maxLine)
	for _, test := range []struct {
		text  string
		major int // of the error; -1: there is none
		err   error
	}{
		{"SSH-2.0-x\r\n", -1, nil},
		{"SSH-2.0-x\n", -1, nil},
		{"SSH-1.99-x\r\n", -1, nil},
		{"SSH-2.9-x y\r\n", -1, nil},
		{"SSH-2.0-\u0142\r\n", -1, nil},
		{"hello\r\nSSH-like\r\nSSH-2.0-x\r\n", 0, nil},
		{"hello\nsome SSH-1.5-x\r\nSSH-2.0-x\r\nSSH-1.5-data", -1, nil},
		{"SSH-1.5-x\r\n", 1, nil},
		{"SSH-3.0-x\n", 3, nil},
		{"SSH-2.0\r\n", 0, nil},
		{"SSH-2.0-\r\n", 0, nil},
		{"SSH--2.0-x\r\n", -2, nil},
		{"SSH-" + strings.Repeat("9", 1000) + "\n", 0, nil},
		{"SSH-" + line + "\n", 0, transport.ErrLineTooLong},
		{line + "\nSSH-2.0-x\r\n", -1, nil},
		{line + "\r\r\nSSH-2.0-x\r\r\n", -1, nil},
		{line + "n\nSSH-2.0-x\r\n", 0, transport.ErrLineTooLong},
		{strings.Repeat("\n", maxLines-1) + "SSH-2.0-x\r\n", -1, nil},
		{strings.Repeat("\n", maxLines) + "SSH-2.0-x\r\n", 0, transport.ErrTooManyLines},
		{"a\x00b\nSSH-2.0-x\r\n", 0, transport.ErrLineInvalid},
		{"a\rb\nSSH-2.0-x\r\n", 0, transport.ErrLineInvalid},
		{"SSH-2.0-x\x00\r\n", 0, transport.ErrLineInvalid},
	} {
		for _, r := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text))} {
			tr := NewConn(bytesConn{nil, r})
			read, err := io.ReadAll(tr)
			if err == nil && !strings.HasPrefix(string(read), "SSH-") {
				t.Errorf("%.40q: x/crypto would read %.40q", test.text, read)
			}
			var version *transport.VersionError
			switch errors.As(err, &version) {
			case true:
				if version.Major != test.major || version.Err != test.err || tr.VersionRead() || tr.Failure() != err {
					t.Errorf("%.40q: %+v", test.text, version)
				}
			case false:
				if test.major != -1 || err != nil || !tr.VersionRead() {
					t.Errorf("%.40q: %v", test.text, err)
				}
			}
		}
	}
}
