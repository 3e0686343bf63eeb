package terminal

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlSetTermios = unix.TIOCSETA // TCSANOW

	iuclc = 0 // not on this system

	// posixVdisable is _POSIX_VDISABLE, which disables a special character.
	posixVdisable = 0xff
)

// getInt makes an ioctl that returns a C int.
func getInt(fd int, request uint) (int, error) { return unix.IoctlGetInt(fd, request) }

// flushInput calls tcflush(fd, TCIFLUSH). The argument of TIOCFLUSH is FREAD, 1.
func flushInput(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, 1) }

// disableBSDKeys disables ^T, whose status report would disturb a prompt, and the
// delayed suspend ^Y.
func disableBSDKeys(t *unix.Termios) {
	t.Cc[unix.VSTATUS] = posixVdisable
	t.Cc[unix.VDSUSP] = posixVdisable
}
