// Package keyboard reads the keyboard of a session: it takes ssh's escapes out of
// what is typed, and can pause so that a question gets the keyboard.
package keyboard

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/sshconfig"
)

// Escapes reads a keyboard and takes out ssh's escapes: the escape character and
// a letter at the start of a line. It is the Stdin of a session, so that an escape
// takes effect after the input before it has been sent.
type Escapes struct {
	in      Source
	char    byte
	actions Actions

	lineStart bool // the last byte sent was a line end, or there was none
	pending   bool // the escape character was typed at a line's start
	ended     bool
	rest      []byte // what the last Read had no room for
}

// Source is where keys come from, such as an [Input] or a terminal.Input.
type Source interface {
	io.Reader
	Cancel()
}

// Actions do what an escape asks for. An Actions may also have a method
// Lacks(byte) bool, which reports whether an escape is not available.
type Actions interface {
	Say(text string) // prints a message on the raw terminal
	Terminate()
	Suspend()
	SendBreak()
	Rekey() error // begins a key exchange; errors.ErrUnsupported if there is no way to
	Louder(by int) sshconfig.LogLevel
	Connections() string
	Information() string
	CommandLine()
	HasCommandLine() bool
}

// NewEscapes returns an Escapes that reads in and calls a. char is the escape
// character.
func NewEscapes(in Source, char byte, a Actions) *Escapes {
	return &Escapes{in: in, char: char, actions: a, lineStart: true}
}

// Cancel ends a blocked Read.
func (e *Escapes) Cancel() { e.in.Cancel() }

// Read returns input for the remote side. If it has read only escapes it reads
// again.
func (e *Escapes) Read(p []byte) (int, error) {
	if len(e.rest) > 0 {
		n := copy(p, e.rest)
		e.rest = e.rest[n:]
		return n, nil
	}
	// An escape character that was held back may have to be returned too.
	buf := make([]byte, max(1, len(p)/2))
	for {
		if e.ended {
			return 0, io.EOF
		}
		n, err := e.in.Read(buf)
		out := p[:0]
		for _, ch := range buf[:n] {
			if out = e.next(out, ch); e.ended {
				break
			}
		}
		if len(out) > 0 {
			n := copy(p, out)
			e.rest = out[n:] // of a p of one byte
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// next handles one byte and appends to out what is for the remote side.
func (e *Escapes) next(out []byte, ch byte) []byte {
	if e.pending {
		e.pending = false
		if e.escape(ch) {
			return out
		}
		if ch != e.char {
			out = append(out, e.char)
		}
	} else if e.lineStart && ch == e.char {
		e.pending = true
		return out
	}
	e.lineStart = ch == '\r' || ch == '\n'
	return append(out, ch)
}

// CtrlZ is the character that ^Z types.
const CtrlZ = 'Z' - 64

// escape handles the character after the escape character. It returns false if
// there is no such escape.
func (e *Escapes) escape(ch byte) bool {
	a := e.actions
	say := func(format string, args ...any) {
		a.Say(fmt.Sprintf("%s"+format+"\r\n", append([]any{ShownChar(e.char)}, args...)...))
	}
	if e.lacks(ch) {
		say("%s escape not available to multiplexed sessions", ShownChar(ch))
		return true
	}
	switch ch {
	case '.': // without an echo, as ssh has it
		e.ended = true
		a.Terminate()
	case CtrlZ:
		say("^Z [suspend ssh]")
		a.Suspend()
	case 'B':
		say("B")
		a.SendBreak()
	case 'C': // without an echo, as ssh has it
		a.CommandLine()
	case 'R':
		if errors.Is(a.Rekey(), errors.ErrUnsupported) {
			say("R [rekeying on request is not possible with this transport: see Transport in gossh_config]")
		}
	case 'V', 'v':
		by := 1
		if ch == 'V' {
			by = -1
		}
		say("%c [LogLevel %s]", ch, a.Louder(by))
	case '#':
		say("#")
		a.Say(a.Connections())
	case 'I':
		say("I")
		a.Say(a.Information())
	case '?':
		say("?")
		a.Say(e.help())
	default:
		return false
	}
	return true
}

// lacks reports whether an escape is not available in this kind of session.
func (e *Escapes) lacks(ch byte) bool {
	l, ok := e.actions.(interface{ Lacks(byte) bool })
	return ok && l.Lacks(ch)
}

// ShownChar returns ch as text, a control character as ^X.
func ShownChar(ch byte) string {
	if ch < 0x20 {
		return "^" + string(rune(ch+64))
	}
	return string(rune(ch))
}

// help lists the escapes of this kind of session.
func (e *Escapes) help() string {
	c, what := ShownChar(e.char), "connection (and any multiplexed sessions)"
	if e.lacks('C') {
		what = "session" // it is one of the multiplexed
	}
	var b strings.Builder
	b.WriteString("Supported escape sequences:\r\n")
	for _, h := range []struct {
		char         byte
		shown, means string
	}{
		{'.', ".  ", "terminate " + what},
		{'B', "B  ", "send a BREAK to the remote system"},
		{'C', "C  ", "open a command line"},
		{'I', "I  ", "show information about the connection"},
		{'V', "V/v", "decrease/increase verbosity (LogLevel)"},
		{CtrlZ, "^Z ", "suspend ssh"},
		{'#', "#  ", "list forwarded connections"},
		{'?', "?  ", "this message"},
		{e.char, c + "  ", "send the escape character by typing it twice"},
	} {
		if !e.lacks(h.char) && (h.char != 'C' || e.actions.HasCommandLine()) {
			fmt.Fprintf(&b, " %s%s - %s\r\n", c, h.shown, h.means)
		}
	}
	b.WriteString("(Note that escapes are only recognized immediately after newline.)\r\n")
	return b.String()
}

// BreakLength is the length of a break in milliseconds, as ssh sends it.
const BreakLength = 1000
