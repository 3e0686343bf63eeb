package terminal

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios      = unix.TCGETS
	ioctlSetTermios      = unix.TCSETS  // TCSANOW
	ioctlSetTermiosFlush = unix.TCSETSF // TCSAFLUSH

	iuclc = unix.IUCLC

	// posixVdisable is _POSIX_VDISABLE: a special character that is off.
	posixVdisable = 0
)
