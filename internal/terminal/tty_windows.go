package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// OpenTTY opens /dev/tty (CONIN$ and CONOUT$ on Windows). If the process has no
// terminal the error is [ErrNoTTY].
func OpenTTY() (*TTY, error) {
	in, err := openConsole("CONIN$")
	if err != nil {
		return nil, fmt.Errorf("%w: CONIN$: %w", ErrNoTTY, err)
	}
	out, err := openConsole("CONOUT$")
	if err != nil {
		windows.CloseHandle(in)
		return nil, fmt.Errorf("%w: CONOUT$: %w", ErrNoTTY, err)
	}
	return &TTY{in: int(in), out: int(out)}, nil
}

func openConsole(name string) (windows.Handle, error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(p, windows.GENERIC_READ|windows.GENERIC_WRITE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, 0, 0)
}

// Write writes p to the terminal.
func (t *TTY) Write(p []byte) (int, error) {
	out, err := NewOutput(t.out)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	return out.Write(p)
}

// Close closes the terminal.
func (t *TTY) Close() error {
	return errors.Join(windows.CloseHandle(windows.Handle(t.in)), windows.CloseHandle(windows.Handle(t.out)))
}

// A question is a prompt and the line that answers it.
type question struct {
	in, out int
	prompt  string
	echo    bool
	deliver func(os.Signal) // there are none
}

// ask reads a line in the console's line mode, where backspace works and
// Ctrl-C has its usual effect.
func (q *question) ask(ctx context.Context) (string, error) {
	restore := q.setModes()
	defer restore()
	in, err := NewInput(q.in)
	if err != nil {
		return "", err
	}
	out, err := NewOutput(q.out)
	if err != nil {
		return "", err
	}
	defer out.Close()
	defer in.Close()
	stop := context.AfterFunc(ctx, in.Cancel)
	defer stop()
	if _, err := io.WriteString(out, q.prompt); err != nil {
		return "", err
	}
	line, err := readAnswer(in, -1)
	if errors.Is(err, ErrCanceled) {
		err = context.Cause(ctx)
	}
	return line, err
}

// setModes does nothing where there is no console.
func (q *question) setModes() (restore func()) {
	fd := windows.Handle(q.in)
	var saved uint32
	if windows.GetConsoleMode(fd, &saved) != nil {
		return func() {}
	}
	mode := saved | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT | windows.ENABLE_ECHO_INPUT
	mode &^= windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	if !q.echo {
		mode &^= windows.ENABLE_ECHO_INPUT
	}
	windows.FlushConsoleInputBuffer(fd)
	windows.SetConsoleMode(fd, mode)
	return func() {
		if !q.echo {
			out, err := NewOutput(q.out)
			if err == nil {
				io.WriteString(out, "\r\n")
				out.Close()
			}
		}
		windows.SetConsoleMode(fd, saved)
	}
}
