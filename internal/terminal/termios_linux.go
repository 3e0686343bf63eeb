package terminal

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TCGETS
	ioctlSetTermios = unix.TCSETS // TCSANOW

	iuclc = unix.IUCLC

	// posixVdisable is _POSIX_VDISABLE, which disables a special character.
	posixVdisable = 0
)

// getInt makes an ioctl that returns a C int.
func getInt(fd int, request uint) (int, error) {
	value, err := unix.IoctlGetUint32(fd, request)
	return int(int32(value)), err
}

// flushInput calls tcflush(fd, TCIFLUSH).
func flushInput(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) }

// disableBSDKeys does nothing, because Linux does not have these keys.
func disableBSDKeys(*unix.Termios) {}
