package transport

import (
	"bytes"
	"fmt"
)

// identificationStart begins the identification, and no line before it
// (RFC 4253, section 4.2).
const identificationStart = "SSH-"

// OpenSSH's limits on what a server sends before its key exchange.
const (
	maxLine  = 8192 // bytes
	maxLines = 1024
)

// readVersion reads the peer's identification and returns it without its line
// ending. Lines before it go to Config.OnLine.
func (c *Conn) readVersion() (string, error) {
	var line []byte
	carriage := false
	lines := 0
	for {
		if err := c.in.fill(1); err != nil {
			return "", err
		}
		ch := c.in.buf[c.in.r]
		c.in.r++
		switch {
		case ch == '\r':
			carriage = true
		case ch == '\n':
			carriage = false
			if len(line) > len(identificationStart) && bytes.HasPrefix(line, []byte(identificationStart)) {
				return string(line), checkVersion(string(line))
			}
			if c.cfg.OnLine != nil {
				c.cfg.OnLine(lines, string(line))
			}
			line = line[:0]
			if lines++; lines == maxLines {
				return "", &VersionError{Err: ErrTooManyLines}
			}
		case ch == 0 || carriage:
			return "", &VersionError{Line: string(line), Err: ErrLineInvalid}
		case len(line) == maxLine:
			return "", &VersionError{Line: string(line), Err: ErrLineTooLong}
		default:
			line = append(line, ch)
		}
	}
}

// checkVersion accepts protocol 2.x, and 1.99, which means 1 and 2
// (RFC 4253, section 5.1).
func checkVersion(line string) error {
	var major, minor int
	var software rune
	_, err := fmt.Sscanf(line, identificationStart+"%d.%d-%c", &major, &minor, &software)
	if err != nil || major != 2 && (major != 1 || minor != 99) {
		return &VersionError{Line: line, Err: ErrVersion}
	}
	return nil
}
