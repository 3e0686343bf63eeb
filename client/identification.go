package client

import (
	"bytes"
	"errors"
)

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
