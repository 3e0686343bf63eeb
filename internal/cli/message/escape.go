package message

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text from a server, a file or another user can contain control sequences for
// the terminal. All of it passes through escapeForeign, in one of the forms
// below, before it is printed.

// foreignForm selects what escapeForeign leaves as it is.
type foreignForm int

const (
	foreignASCII foreignForm = iota // printable ASCII, tabs and line ends
	foreignUTF8                     // printable UTF-8, tabs and line ends
	foreignLine                     // printable UTF-8
)

// escapeForeign replaces each byte that could drive a terminal by a backslash
// and three octal digits, as vis(3) does with VIS_OCTAL. A carriage return
// stays only next to a line feed: elsewhere what follows it would overwrite
// what was printed before it, such as the name of the host that asks.
func escapeForeign(s string, form foreignForm) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		keep := false
		switch {
		case r == utf8.RuneError && width == 1: // not UTF-8
		case r == '\n' || r == '\t':
			keep = form != foreignLine
		case r == '\r':
			keep = form != foreignLine && besideLineFeed(s, i)
		case r >= utf8.RuneSelf:
			keep = form != foreignASCII && unicode.IsPrint(r)
		default:
			keep = unicode.IsPrint(r)
		}
		if keep {
			b.WriteString(s[i : i+width])
		} else {
			for _, ch := range []byte(s[i : i+width]) {
				fmt.Fprintf(&b, `\%03o`, ch)
			}
		}
		i += width
	}
	return b.String()
}

// besideLineFeed reports whether the run of carriage returns around s[i] comes
// after a line feed or before one.
func besideLineFeed(s string, i int) bool {
	before := strings.TrimRight(s[:i], "\r")
	after := strings.TrimLeft(s[i:], "\r")
	return strings.HasSuffix(before, "\n") || strings.HasPrefix(after, "\n")
}

// logText returns a message in the form of ssh's log.c: vis(3) with VIS_SAFE
// and VIS_OCTAL, backslashes doubled, and besides \a, \b and the carriage
// returns that would overwrite the message.
func logText(s string) string { return Printable(strings.ReplaceAll(s, `\`, `\\`)) }

// Printable escapes s for a message: printable ASCII, tabs and line ends stay.
func Printable(s string) string { return escapeForeign(s, foreignASCII) }

// Banner escapes a server's banner or question. Printable UTF-8 stays (RFC 4252,
// section 5.4; RFC 4256, section 3.2).
func Banner(s string) string { return escapeForeign(s, foreignUTF8) }

// OneLine escapes a text within a line, line ends included.
func OneLine(s string) string { return escapeForeign(s, foreignLine) }

// maxField is the number of bytes of a field that a question shows.
const maxField = 64

// Field quotes a name for a question that grants something. The result is plain
// ASCII of bounded length, so that it cannot pass for another part of the
// question or push one off the screen.
func Field(s string) string {
	cut := ""
	if len(s) > maxField {
		n := maxField
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s, cut = s[:n], "..."
	}
	return strconv.QuoteToASCII(s) + cut
}
