package terminal

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios      = unix.TIOCGETA
	ioctlSetTermios      = unix.TIOCSETA  // TCSANOW
	ioctlSetTermiosFlush = unix.TIOCSETAF // TCSAFLUSH

	iuclc = 0 // not on this system

	// posixVdisable is _POSIX_VDISABLE: a special character that is off.
	posixVdisable = 0xff
)
