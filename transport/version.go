package transport

import (
	"fmt"
	"strings"
)

// identificationStart begins the identification, and no line before it
// (RFC 4253, section 4.2).
const identificationStart = "SSH-"

// OpenSSH's limits on what a server sends before its key exchange.
const (
	maxLine  = 8192 // bytes
	maxLines = 1024
)

// A VersionParser parses what a server sends up to its identification.
type VersionParser struct {
	// OnLine, if set, is called with each line before the identification, numbered
	// from 0. It may contain any bytes but NUL.
	OnLine func(number int, line string)

	line     []byte
	carriage bool // the last byte was a CR
	lines    int  // before the identification
}

// Next parses a byte. At the end of the identification it returns it, without its
// line ending. Its error is a *VersionError.
func (v *VersionParser) Next(ch byte) (line string, err error) {
	switch {
	case ch == '\r':
		v.carriage = true
		return "", nil
	case ch == '\n':
		return v.endLine()
	case ch == 0 || v.carriage:
		return "", &VersionError{Line: string(v.line), Err: ErrLineInvalid}
	case len(v.line) == maxLine:
		return "", &VersionError{Line: string(v.line), Err: ErrLineTooLong}
	}
	v.line = append(v.line, ch)
	return "", nil
}

func (v *VersionParser) endLine() (string, error) {
	v.carriage = false
	line := string(v.line)
	if len(line) > len(identificationStart) && strings.HasPrefix(line, identificationStart) {
		return line, checkVersion(line)
	}
	if v.OnLine != nil {
		v.OnLine(v.lines, line)
	}
	v.line = v.line[:0]
	if v.lines++; v.lines == maxLines {
		return "", &VersionError{Err: ErrTooManyLines}
	}
	return "", nil
}

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

// readVersion reads the server's identification.
func (c *Conn) readVersion() (string, error) {
	parser := VersionParser{OnLine: c.cfg.OnLine}
	for {
		if err := c.in.fill(1); err != nil {
			return "", err
		}
		ch := c.in.buf[c.in.r]
		c.in.r++
		if line, err := parser.Next(ch); line != "" || err != nil {
			return line, err
		}
	}
}
