//go:build unix

package agentfwd

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openNoFollow opens a file that is not a symbolic link. It does not block on a
// FIFO.
func openNoFollow(path string, flags int, mode fs.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, mode)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // the latter of FreeBSD
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, &os.PathError{Op: "open", Path: path, Err: errNotRegular}
		}
	}
	return file, err
}

// ownFile reports whether a file belongs to the effective user.
func ownFile(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
