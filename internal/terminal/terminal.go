// Package terminal is everything that touches the local terminal.
//
// The main path of an interactive session:
//
//	modes := terminal.Modes(fd)              // for pty-req, taken before raw mode
//	size, _ := terminal.GetSize(fd)          // for pty-req
//	state, err := terminal.MakeRaw(fd)       // the keystrokes now go to the server
//	defer state.Restore()
//	in, err := terminal.NewInput(fd)         // stdin; Close leaves no read behind
//	for size := range terminal.Resizes(ctx, fd) { ... } // window-change
//
// and of a question to the person:
//
//	asker := &terminal.Prompter{} // /dev/tty, or SSH_ASKPASS
//	password, err := asker.Ask(ctx, "deploy@web-1's password: ", 0)
//
// Descriptors are passed as int, as golang.org/x/term does (on Windows, a
// handle). They belong to the caller, who keeps them open while a value of
// this package uses them, and they may be shared with other programs: nothing
// here ever sets O_NONBLOCK on one, and none is closed.
//
// The package keeps no state of its own; what it takes from the environment
// comes through [Env].
package terminal

import (
	"errors"
	"os"
)

var (
	// ErrNoTTY is returned when a person has to be asked and there is neither
	// a terminal nor, where it would do, an askpass program.
	ErrNoTTY = errors.New("terminal: no terminal to ask on")

	// ErrNotTerminal is returned for a descriptor that is not a terminal.
	ErrNotTerminal = errors.New("terminal: not a terminal")

	// ErrCanceled is returned by [Input.Read] and [Output.Write] after Cancel
	// or Close. It is not io.EOF: the descriptor may still have data.
	ErrCanceled = errors.New("terminal: canceled")

	// ErrRefused is returned when the askpass program was dismissed: it ended
	// with another status than 0.
	ErrRefused = errors.New("terminal: askpass refused")
)

// Size is the size of a terminal as pty-req and window-change carry it
// (RFC 4254, sections 6.2 and 6.7). Zero means unknown.
type Size struct {
	Columns, Rows             uint32 // in characters
	WidthPixels, HeightPixels uint32 // of the text area
}

// Env looks up an environment variable, as os.LookupEnv does.
type Env func(key string) (value string, ok bool)

// get returns the variable's value, "" if unset. A nil Env is the process's.
func (e Env) get(key string) string {
	value, _ := e.lookup(key)
	return value
}

func (e Env) lookup(key string) (string, bool) {
	if e == nil {
		return os.LookupEnv(key)
	}
	return e(key)
}

// A SignalError says that a question on the terminal was broken off by a
// signal. The terminal has been restored and the signal delivered to the
// process once more, so it is seen only by a program that handles the signal
// itself.
type SignalError struct {
	Signal os.Signal
}

func (e *SignalError) Error() string { return "terminal: " + e.Signal.String() }
