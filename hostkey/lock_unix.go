//go:build unix && !solaris && !illumos && !aix

package hostkey

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// platformLock is nothing here: flock(2) goes with the open file.
type platformLock struct{}

func (platformLock) release() {}

// lock takes flock(2) on the file, or says errBusy. A file system without
// locks is no reason to do nothing: appending is safe without.
func (l *lockedFile) lock(string) error {
	for {
		err := unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errBusy
		}
		return nil
	}
}

// replace renames tmp, which is open as well, over path.
func (l *lockedFile) replace(tmp *os.File, path string) error {
	return os.Rename(tmp.Name(), path)
}

// keepOwner gives the new file to the old one's owner; who is not root cannot
// and need not.
func keepOwner(f *os.File, info os.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return ignoreUnsupported(d.Sync())
}

// ignoreUnsupported forgives fsync(2) on what has no disk below it.
func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EROFS) {
		return nil
	}
	return err
}

// lockTemp locks a file that nobody else knows of yet.
func (l *lockedFile) lockTemp() error { return l.lock("") }
