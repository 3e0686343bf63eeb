package forward

import (
	"io/fs"
	"syscall"
)

// presetMode gives a socket its permissions before it is bound, so that there
// is no moment in which others may connect. On Linux bind(2) takes the mode of
// the socket's own inode, which fchmod(2) sets. A change of the umask would
// reach every other goroutine that makes a file.
func presetMode(c syscall.RawConn, mode fs.FileMode) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode)) }); cerr != nil {
		return cerr
	}
	return err
}
