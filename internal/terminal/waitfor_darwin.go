package terminal

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// waitFor blocks until fd is ready or wakeFD is readable. It reports as woken
// whether wakeFD is readable.
// It uses select because poll(2) on macOS does not support devices such as
// terminals (poll(2), BUGS).
func waitFor(fd int, dir direction, wakeFD int) (woken bool, err error) {
	if fd < 0 || fd >= unix.FD_SETSIZE || wakeFD >= unix.FD_SETSIZE {
		return false, unix.EBADF
	}
	var reading, writing unix.FdSet
	reading.Set(wakeFD)
	if dir == forWriting {
		writing.Set(fd)
	} else {
		reading.Set(fd)
	}
	if _, err := unix.Select(max(fd, wakeFD)+1, &reading, &writing, nil, nil); err != nil {
		return false, err
	}
	return reading.IsSet(wakeFD), nil
}

// wakePipe returns a pipe with close-on-exec set. macOS
// has no pipe2, so ForkLock prevents a fork before the flag is set.
func wakePipe() (fds [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(fds[:]); err != nil {
		return fds, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return fds, nil
}
