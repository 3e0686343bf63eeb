//go:build linux || darwin || freebsd

package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenTTY opens /dev/tty (CONIN$ and CONOUT$ on Windows). If the process has no
// terminal the error is [ErrNoTTY].
func OpenTTY() (*TTY, error) {
	for {
		fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrNoTTY, &os.PathError{Op: "open", Path: "/dev/tty", Err: err})
		}
		return &TTY{in: fd, out: fd}, nil
	}
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
func (t *TTY) Close() error { return os.NewSyscallError("close", unix.Close(t.in)) }
