//go:build linux || freebsd

package terminal

import "golang.org/x/sys/unix"

// waitFor blocks until fd is ready or wakeFD is readable. It reports as woken
// whether wakeFD is readable.
func waitFor(fd int, dir direction, wakeFD int) (woken bool, err error) {
	events := int16(unix.POLLIN)
	if dir == forWriting {
		events = unix.POLLOUT
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(wakeFD), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, -1); err != nil {
		return false, err
	}
	return fds[1].Revents != 0, nil
}

// wakePipe returns a pipe with close-on-exec set.
func wakePipe() (fds [2]int, err error) {
	err = unix.Pipe2(fds[:], unix.O_CLOEXEC)
	return fds, err
}
