package terminal

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// reopen opens the terminal at fd once more, non-blocking: O_NONBLOCK belongs
// to an open file description, and that of fd is shared with other programs.
// mode is O_RDONLY or O_WRONLY. ok is false if fd is no terminal or this
// process may not open it, as after su(1).
func reopen(fd, mode int) (own int, ok bool) {
	if !IsTerminal(fd) {
		return -1, false
	}
	if _, err := unix.IoctlGetInt(fd, unix.TIOCGPTN); err == nil {
		return -1, false // the controlling side of a pty: open would make another pty
	}
	own, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), mode|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	return own, err == nil
}

// readNow reads what a pipe or a socket has without waiting, as if it were
// non-blocking. Pipes support it since Linux 6.4.
func readNow(fd int, p []byte) (int, error) {
	return unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}
