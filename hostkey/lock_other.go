//go:build !windows && (!unix || solaris || illumos || aix)

package hostkey

import "os"

// platformLock is nothing: these systems have no flock(2). Appending is one
// write and safe without; a rewrite looks twice before it renames.
type platformLock struct{}

func (platformLock) release() {}

func (l *lockedFile) lock(string) error { return nil }

func (l *lockedFile) replace(tmp *os.File, path string) error {
	return os.Rename(tmp.Name(), path)
}

func keepOwner(*os.File, os.FileInfo) {}

func syncDir(string) error { return nil }

func ignoreUnsupported(err error) error { return err }

func (l *lockedFile) lockTemp() error { return nil }
