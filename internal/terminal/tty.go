package terminal

import (
	"context"
	"errors"
	"io"
	"os"
)

// lineLimit is how much of a line a question takes: the rest is read and
// dropped, as in OpenSSH.
const lineLimit = 1023

// TTY is the terminal that the process was started from, whatever stdin and
// stdout are. One question at a time may be asked on it.
type TTY struct {
	in, out int             // the same on Unix
	deliver func(os.Signal) // as Prompter.Deliver
}

// Fd returns the descriptor that is read from; it is closed by Close.
func (t *TTY) Fd() int { return t.in }

// ReadSecret is ReadLine without echo.
func (t *TTY) ReadSecret(ctx context.Context, prompt string) (string, error) {
	return t.ReadLine(ctx, prompt, false)
}

// ReadLine shows prompt and reads a line, with echo or without; what was typed
// before the prompt is thrown away. Bytes come as they are, of any encoding. Of
// a longer line it returns the first 1023 bytes, as OpenSSH does. The line may
// be empty; at the end of the input (^D) the error is io.EOF, and ctx's cause
// once ctx is done.
//
// If a signal that ends the process comes meanwhile (SIGINT, SIGTERM, SIGHUP,
// SIGQUIT, SIGALRM), the terminal is restored first, and then the signal is delivered
// once more, to take its usual effect; a process that survives because it
// handles the signal gets a [*SignalError]. ^Z restores the terminal and stops
// the process group; once continued, the question is asked again.
func (t *TTY) ReadLine(ctx context.Context, prompt string, echo bool) (string, error) {
	q := question{in: t.in, out: t.out, prompt: prompt, echo: echo, deliver: t.deliver}
	return q.ask(ctx)
}

// ReadSecret is [TTY.ReadSecret] on a terminal opened for it.
func ReadSecret(ctx context.Context, prompt string) (string, error) {
	return ReadLine(ctx, prompt, false)
}

// ReadLine is [TTY.ReadLine] on a terminal opened for it.
func ReadLine(ctx context.Context, prompt string, echo bool) (string, error) {
	tty, err := OpenTTY()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	return tty.ReadLine(ctx, prompt, echo)
}

// errSuspend is readAnswer's for the key that suspends.
var errSuspend = errors.New("terminal: suspend")

// readAnswer reads a line byte by byte, so that nothing behind it is taken.
// suspend is the key that breaks it off, -1 for none.
func readAnswer(in io.Reader, suspend int) (string, error) {
	line := make([]byte, 0, lineLimit)
	defer func() { clear(line[:cap(line)]) }()
	var b [1]byte
	for any := false; ; any = true {
		_, err := in.Read(b[:])
		switch {
		case err == io.EOF && any:
			return secretText(line), nil
		case err != nil:
			return "", err
		case int(b[0]) == suspend:
			return "", errSuspend
		case b[0] == '\n' || b[0] == '\r':
			return secretText(line), nil
		case len(line) < lineLimit:
			line = append(line, b[0])
		}
	}
}

// minSecret is the least memory for an answer. Smaller strings share memory, and
// what is shared stays for as long as any of them is in use.
const minSecret = 32

// secretText makes a string that is gone from memory once it is collected and
// overwritten.
func secretText(line []byte) string {
	if len(line) >= minSecret {
		return string(line)
	}
	var room [minSecret]byte
	defer clear(room[:])
	copy(room[:], line)
	return string(room[:])[:len(line)]
}
