package terminal

import (
	"context"
	"errors"
	"io"
	"os"
)

// lineLimit is the maximum length of an answer in bytes. Like OpenSSH, this
// package reads and drops the rest of a longer line.
const lineLimit = 1023

// A TTY is the controlling terminal of the process, which stdin and stdout
// need not be. It supports one ReadLine at a time.
type TTY struct {
	in, out int             // the same on Unix
	deliver func(os.Signal) // see Prompter.Deliver
}

// Fd returns the descriptor for input. Close closes it.
func (t *TTY) Fd() int { return t.in }

// ReadLine writes prompt and reads a line, with or without echo. It discards
// input from before the prompt. It returns the bytes without conversion, at most
// 1023 of them, as OpenSSH does. The line may be empty. The error is io.EOF at
// the end of the input (^D), and the cause of ctx when ctx is done.
//
// If the process receives SIGINT, SIGTERM, SIGHUP, SIGQUIT or SIGALRM meanwhile,
// ReadLine restores the terminal and sends the signal to the process again, so
// that it takes its usual effect. If the process handles the signal and survives,
// ReadLine returns a [*SignalError]. ^Z restores the terminal and stops the
// process group. After SIGCONT, ReadLine writes the prompt again.
func (t *TTY) ReadLine(ctx context.Context, prompt string, echo bool) (string, error) {
	q := question{in: t.in, out: t.out, prompt: prompt, echo: echo, deliver: t.deliver}
	return q.ask(ctx)
}

// errSuspend reports that readAnswer read the suspend key.
var errSuspend = errors.New("terminal: suspend")

// readAnswer reads a line byte by byte, so that it does not consume input after
// the line. The byte suspend, unless -1, makes it return errSuspend.
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

// minSecret is the minimum size of the memory for an answer. The allocator
// combines smaller strings in one block, which lives as long as any of them.
const minSecret = 32

// secretText returns line as a string in a block of memory that it shares with
// no other value, so that package wipe can overwrite it after its collection.
func secretText(line []byte) string {
	if len(line) >= minSecret {
		return string(line)
	}
	var room [minSecret]byte
	defer clear(room[:])
	copy(room[:], line)
	return string(room[:])[:len(line)]
}
