package terminal

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlSetTermios = unix.TIOCSETA // TCSANOW

	iuclc = 0 // not on this system

	// posixVdisable is _POSIX_VDISABLE: a special character that is off.
	posixVdisable = 0xff
)

// getInt makes an ioctl that answers with a C int.
func getInt(fd int, request uint) (int, error) { return unix.IoctlGetInt(fd, request) }

// flushInput is tcflush(fd, TCIFLUSH). TIOCFLUSH takes FREAD, which is 1.
func flushInput(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, 1) }

// disableBSDKeys turns off ^T, whose report would land in a prompt, and the
// delayed suspend ^Y.
func disableBSDKeys(t *unix.Termios) {
	t.Cc[unix.VSTATUS] = posixVdisable
	t.Cc[unix.VDSUSP] = posixVdisable
}
