package keyboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshconfig"
)

// typist is a keyboard that returns input in pieces.
type typist struct {
	pieces []string
	err    error // at the end; nil: io.EOF
}

func (t *typist) Read(p []byte) (int, error) {
	if len(t.pieces) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		return 0, io.EOF
	}
	n := copy(p, t.pieces[0])
	if t.pieces[0] = t.pieces[0][n:]; t.pieces[0] == "" {
		t.pieces = t.pieces[1:]
	}
	return n, nil
}

func (t *typist) Cancel() {}

// actions records its calls.
type actions struct {
	did, said     strings.Builder
	noCommandLine bool
	rekeyError    error
}

func (a *actions) Say(text string) { a.said.WriteString(text) }
func (a *actions) Terminate()      { a.did.WriteString("terminate ") }
func (a *actions) Suspend()        { a.did.WriteString("suspend ") }
func (a *actions) Rekey() error {
	a.did.WriteString("rekey ")
	return a.rekeyError
}
func (a *actions) SendBreak()           { a.did.WriteString("break ") }
func (a *actions) Connections() string  { a.did.WriteString("connections "); return "list\r\n" }
func (a *actions) Information() string  { a.did.WriteString("information "); return "facts\r\n" }
func (a *actions) CommandLine()         { a.did.WriteString("commandline ") }
func (a *actions) HasCommandLine() bool { return !a.noCommandLine }
func (a *actions) Louder(by int) sshconfig.LogLevel {
	fmt.Fprintf(&a.did, "louder%+d ", by)
	return sshconfig.LogVerbose
}

// pieces cuts text into pieces of at most n bytes; 0: one piece.
func pieces(text string, n int) (out []string) {
	if n == 0 {
		n = max(1, len(text))
	}
	for len(text) > 0 {
		k := min(n, len(text))
		out, text = append(out, text[:k]), text[k:]
	}
	return out
}

// readPieces reads to the end with a buffer of that size.
func readPieces(r io.Reader, size int) (string, error) {
	var out strings.Builder
	buf := make([]byte, size)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String(), err
		}
		if n == 0 {
			return out.String(), errors.New("nothing, and no error")
		}
	}
}

func TestEscapes(t *testing.T) {
	for _, test := range []struct {
		name  string
		char  byte // 0: ~
		typed string
		sent  string
		did   string
		said  string // what it begins with
	}{
		{name: "text", typed: "ls\r", sent: "ls\r"},
		{name: "terminate", typed: "~.lost", did: "terminate "},
		{name: "terminate behind a line", typed: "ls\r~.", sent: "ls\r", did: "terminate "},
		{name: "behind a newline", typed: "ls\n~.", sent: "ls\n", did: "terminate "},
		{name: "in a line", typed: "a~.\r", sent: "a~.\r"},
		{name: "twice", typed: "~~.\r", sent: "~.\r"},
		{name: "twice, then once more", typed: "~~\r~.", sent: "~\r", did: "terminate "},
		{name: "unknown letter", typed: "~x\r", sent: "~x\r"},
		{name: "unknown letter, then in a line", typed: "~x~.\r", sent: "~x~.\r"},
		{name: "line end behind it", typed: "~\r~.", sent: "~\r", did: "terminate "},
		{name: "break", typed: "~B", did: "break ", said: "~B\r\n"},
		{name: "still a line's start", typed: "~B~B~.", did: "break break terminate ", said: "~B\r\n~B\r\n"},
		{name: "suspend", typed: "~\x1a", did: "suspend ", said: "~^Z [suspend ssh]\r\n"},
		{name: "command line", typed: "~C", did: "commandline "},
		{name: "louder", typed: "~v", did: "louder+1 ", said: "~v [LogLevel VERBOSE]\r\n"},
		{name: "quieter", typed: "~V", did: "louder-1 ", said: "~V [LogLevel VERBOSE]\r\n"},
		{name: "information", typed: "~I", did: "information ", said: "~I\r\nfacts\r\n"},
		{name: "connections", typed: "~#", did: "connections ", said: "~#\r\nlist\r\n"},
		{name: "help", typed: "~?", said: "~?\r\nSupported escape sequences:\r\n"},
		{name: "rekey", typed: "~R", did: "rekey "},
		{name: "pending at the end", typed: "ls\r~", sent: "ls\r"},
		{name: "other character", char: 'x', typed: "x.", did: "terminate "},
		{name: "other character, the usual one", char: 'x', typed: "~.\r", sent: "~.\r"},
		{name: "other character, twice", char: 'x', typed: "xx\r", sent: "x\r"},
		{name: "control character", char: 'B' - 64, typed: "\x02.", did: "terminate "},
		{name: "high character", char: 0xe9, typed: "\xe9B\xe9\xe9\r", sent: "\xe9\r", did: "break "},
		{name: "a line end", char: '\r', typed: "\r\r\rB", sent: "\r", did: "break ", said: "^MB\r\n"},
		{name: "a letter of its own", char: 'B', typed: "BBls\r", did: "break ", sent: "ls\r", said: "BB\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for size := range 4 { // of the reads of the keyboard; 0: all at once
				for _, buf := range []int{1, 2, 3, 64} {
					a := new(actions)
					char := test.char
					if char == 0 {
						char = '~'
					}
					e := NewEscapes(&typist{pieces: pieces(test.typed, size)}, char, a)
					sent, err := readPieces(e, buf)
					if err != io.EOF || sent != test.sent || a.did.String() != test.did || !strings.HasPrefix(a.said.String(), test.said) {
						t.Fatalf("pieces of %d, buffer of %d: sent %q, did %q, said %q, %v", size, buf, sent, a.did.String(), a.said.String(), err)
					}
					if test.said == "" && !strings.Contains(test.did, "break") && a.said.Len() > 0 {
						t.Fatalf("said %q", a.said.String())
					}
				}
			}
		})
	}
}

// TestNoRekey checks that the user hears of a transport that cannot rekey.
func TestNoRekey(t *testing.T) {
	a := &actions{rekeyError: fmt.Errorf("no: %w", errors.ErrUnsupported)}
	sent, err := readPieces(NewEscapes(&typist{pieces: pieces("~R", 0)}, '~', a), 64)
	if err != io.EOF || sent != "" || !strings.HasPrefix(a.said.String(), "~R [rekeying on request is not possible") {
		t.Errorf("sent %q, said %q, %v", sent, a.said.String(), err)
	}
}

// TestEscapeHelp checks that the help has a line for each escape.
func TestEscapeHelp(t *testing.T) {
	for _, without := range []bool{false, true} {
		a := &actions{noCommandLine: without}
		readPieces(NewEscapes(&typist{pieces: []string{"~?"}}, '~', a), 8)
		for _, key := range []string{"~.", "~B", "~C", "~I", "~V/v", "~^Z", "~#", "~?", "~~"} {
			if got, want := strings.Contains(a.said.String(), "\r\n "+key+" "), key != "~C" || !without; got != want {
				t.Errorf("%s is there: %v, in %q", key, got, a.said.String())
			}
		}
	}
}

// TestEscapeErrors checks that the end of the keyboard is passed on.
func TestEscapeErrors(t *testing.T) {
	lost := errors.New("lost")
	e := NewEscapes(&typist{pieces: []string{"a"}, err: lost}, '~', new(actions))
	if sent, err := readPieces(e, 8); sent != "a" || err != lost {
		t.Errorf("%q, %v", sent, err)
	}
	// Once terminated it stays so.
	e = NewEscapes(&typist{pieces: []string{"~.", "more"}}, '~', new(actions))
	for range 2 {
		if n, err := e.Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// FuzzEscapes checks that input without the escape character passes unchanged, that
// the size of reads makes no difference, and that output is never longer than
// input.
func FuzzEscapes(f *testing.F) {
	f.Add([]byte("ls\r~.x"), byte('~'), uint8(1))
	f.Add([]byte("~~~~\r~?"), byte('~'), uint8(2))
	f.Add([]byte("\r\rB"), byte('\r'), uint8(3))
	f.Fuzz(func(t *testing.T, typed []byte, char byte, size uint8) {
		read := func(size, buf int) (string, string) {
			a := new(actions)
			sent, err := readPieces(NewEscapes(&typist{pieces: pieces(string(typed), size)}, char, a), buf)
			if err != io.EOF {
				t.Fatal(err)
			}
			return sent, a.did.String()
		}
		sent, did := read(0, 64)
		if !bytes.Contains(typed, []byte{char}) && (sent != string(typed) || did != "") {
			t.Errorf("%q became %q, and did %q", typed, sent, did)
		}
		if len(sent) > len(typed) {
			t.Errorf("%q became %q", typed, sent)
		}
		if again, didAgain := read(int(size), 1+int(size)%7); again != sent || didAgain != did {
			t.Errorf("cut otherwise, %q became %q instead of %q", typed, again, sent)
		}
	})
}
