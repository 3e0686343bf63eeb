package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/sshconfig"
)

// escapes is the keyboard with ssh's escapes taken out: behind the start of a
// line, the escape character and a letter are for us. It is the Stdin of the
// session, so that nothing is done about a key before its turn.
type escapes struct {
	in      keyboard
	char    byte
	actions escapeActions

	lineStart bool // the last byte sent was a line end, or there was none
	pending   bool // the escape character was typed at a line's start
	ended     bool
	rest      []byte // what the last Read had no room for
}

// keyboard is a terminal.Input.
type keyboard interface {
	io.Reader
	Cancel()
}

// escapeActions do what an escape asks for.
type escapeActions interface {
	say(text string) // a message, on the raw terminal
	terminate()
	suspend()
	sendBreak()
	louder(by int) sshconfig.LogLevel
	connections() string
	information() string
	commandLine()
	hasCommandLine() bool
}

func newEscapes(in keyboard, char byte, a escapeActions) *escapes {
	return &escapes{in: in, char: char, actions: a, lineStart: true}
}

// Cancel ends a blocked Read.
func (e *escapes) Cancel() { e.in.Cancel() }

// Read gives what is for the remote side. A Read that took only escapes goes
// on to the next.
func (e *escapes) Read(p []byte) (int, error) {
	if len(e.rest) > 0 {
		n := copy(p, e.rest)
		e.rest = e.rest[n:]
		return n, nil
	}
	// An escape character that was held back may have to be given out too.
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

// next handles one typed byte and appends what it means for the remote side.
func (e *escapes) next(out []byte, ch byte) []byte {
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

// ctrlZ is typed as ^Z.
const ctrlZ = 'Z' - 64

// escape does what the character behind the escape character stands for; false
// means that it is none.
func (e *escapes) escape(ch byte) bool {
	a := e.actions
	said := func(format string, args ...any) {
		a.say(fmt.Sprintf("%s"+format+"\r\n", append([]any{shownChar(e.char)}, args...)...))
	}
	if e.lacks(ch) {
		said("%s escape not available to multiplexed sessions", shownChar(ch))
		return true
	}
	switch ch {
	case '.': // without an echo, as ssh has it
		e.ended = true
		a.terminate()
	case ctrlZ:
		said("^Z [suspend ssh]")
		a.suspend()
	case 'B':
		said("B")
		a.sendBreak()
	case 'C': // without an echo, as ssh has it
		a.commandLine()
	case 'R':
		said("R [rekeying on request is not possible: x/crypto rekeys by volume alone]")
	case 'V', 'v':
		by := 1
		if ch == 'V' {
			by = -1
		}
		said("%c [LogLevel %s]", ch, a.louder(by))
	case '#':
		said("#")
		a.say(a.connections())
	case 'I':
		said("I")
		a.say(a.information())
	case '?':
		said("?")
		a.say(e.help())
	default:
		return false
	}
	return true
}

// lacks says that an escape is not for this kind of session.
func (e *escapes) lacks(ch byte) bool {
	l, ok := e.actions.(interface{ lacks(byte) bool })
	return ok && l.lacks(ch)
}

// shownChar prints a control character as ^X.
func shownChar(ch byte) string {
	if ch < 0x20 {
		return "^" + string(rune(ch+64))
	}
	return string(rune(ch))
}

// help lists the escapes that are for this kind of session.
func (e *escapes) help() string {
	c, what := shownChar(e.char), "connection (and any multiplexed sessions)"
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
		{ctrlZ, "^Z ", "suspend ssh"},
		{'#', "#  ", "list forwarded connections"},
		{'?', "?  ", "this message"},
		{e.char, c + "  ", "send the escape character by typing it twice"},
	} {
		if !e.lacks(h.char) && (h.char != 'C' || e.actions.hasCommandLine()) {
			fmt.Fprintf(&b, " %s%s - %s\r\n", c, h.shown, h.means)
		}
	}
	b.WriteString("(Note that escapes are only recognized immediately after newline.)\r\n")
	return b.String()
}

// The actions of a session's terminal.

func (t *ttySession) say(text string) { io.WriteString(t.r.p.std.Stderr, text) }

func (t *ttySession) terminate() { t.r.quit(message.ErrQuit) }

// breakLength is a break's length in milliseconds, as ssh sends it.
const breakLength = 1000

func (t *ttySession) sendBreak() { t.r.cmd.Break(breakLength) }

func (t *ttySession) louder(by int) sshconfig.LogLevel {
	c := t.r.p.print
	level := min(max(c.Level()+sshconfig.LogLevel(by), sshconfig.LogQuiet), sshconfig.LogDebug3)
	c.SetLevel(level)
	return level
}

// connections lists what goes over the connection, and how that is doing.
func (t *ttySession) connections() string {
	var b strings.Builder
	b.WriteString("The following connections are open:\r\n")
	b.WriteString("  #0 client-session (tty)\r\n")
	for _, f := range t.r.c.Forwards().Forwards() {
		s := f.Snapshot()
		fmt.Fprintf(&b, "  %v forward %s: %d accepted, %d failed\r\n", s.Spec.Kind, message.OneLine(s.Spec.String()), s.Accepted, s.Failed)
		for _, conn := range s.Conns {
			fmt.Fprintf(&b, "    #%d %s -> %s, %d bytes in, %d out\r\n", conn.ID, message.OneLine(conn.Origin), message.OneLine(conn.Target), conn.In, conn.Out)
		}
	}
	b.WriteString(message.Alive(t.r.c.Stats()) + "\r\n")
	return b.String()
}

func (t *ttySession) information() string { return t.r.p.print.Information(t.r.c, t.r.started) }
