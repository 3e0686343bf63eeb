package terminal

import (
	"context"
	"os"
)

// TTY is the terminal that the process was started from, whatever stdin and
// stdout are.
type TTY struct {
	in, out *os.File // the same on Unix
}

// OpenTTY opens /dev/tty (CONIN$ and CONOUT$ on Windows). If the process has no
// terminal the error is [ErrNoTTY].
func OpenTTY() (*TTY, error) { return nil, ErrNoTTY }

// Fd returns the descriptor that is read from.
func (t *TTY) Fd() int { return int(t.in.Fd()) }

// Write writes p to the terminal.
func (t *TTY) Write(p []byte) (int, error) { return t.out.Write(p) }

// Close closes the terminal.
func (t *TTY) Close() error { return t.in.Close() }

// ReadSecret shows prompt and reads a line without echo.
func (t *TTY) ReadSecret(ctx context.Context, prompt string) (string, error) {
	return t.ReadLine(ctx, prompt, false)
}

// ReadLine shows prompt and reads a line, with echo or without. Of a longer line
// it returns the first 1023 bytes, as OpenSSH does. The line may be
// empty; at the end of the input (^D) the error is io.EOF, and ctx's cause once
// ctx is done.
//
// If a signal that ends or stops the process comes meanwhile (SIGINT, SIGTERM,
// SIGHUP, SIGQUIT, SIGTSTP, …), the terminal is restored first, and then
// the signal takes its usual effect. A process that is continued is asked
// again; one that survives because it handles the signal gets a
// [*SignalError].
func (t *TTY) ReadLine(ctx context.Context, prompt string, echo bool) (string, error) {
	return "", ErrNoTTY
}

// ReadSecret is [TTY.ReadSecret] on a terminal opened for it.
func ReadSecret(ctx context.Context, prompt string) (string, error) {
	return ReadLine(ctx, prompt, false)
}

// ReadLine is [TTY.ReadLine] on a terminal opened for it.
func ReadLine(ctx context.Context, prompt string, echo bool) (string, error) {
	return "", ErrNoTTY
}

// Ask asks and returns the answer, a line without its end. Nobody to ask is
// [ErrNoTTY]; a refusal by askpass [ErrRefused]; the end of the input io.EOF.
func (p *Prompter) Ask(ctx context.Context, prompt string, flags Flags) (string, error) {
	return "", ErrNoTTY
}

// Confirm asks for permission through askpass: an empty answer or "yes"
// is a yes. Nobody to ask is a no, with [ErrNoTTY].
func (p *Prompter) Confirm(ctx context.Context, prompt string) (bool, error) {
	return false, ErrNoTTY
}

// Notify shows text without waiting for an answer: on stderr if that is a terminal, else through askpass.
func (p *Prompter) Notify(ctx context.Context, text string) *Notice { return nil }

// A Notice is being shown until Close.
type Notice struct{}

// Close takes the notice down.
func (n *Notice) Close() error { return nil }
