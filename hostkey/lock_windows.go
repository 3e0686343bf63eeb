package hostkey

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// platformLock is a lock file beside the known_hosts file: a lock on the file
// itself would stop ssh from writing, and an open file cannot be replaced.
type platformLock struct {
	guard *os.File
}

func (p *platformLock) release() {
	if p.guard != nil {
		p.guard.Close()
		p.guard = nil
	}
}

// lock takes the lock file, or says errBusy. Where it cannot be made, we go on
// without: appending is safe.
func (l *lockedFile) lock(path string) error {
	guard, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(guard.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		guard.Close()
		return errBusy
	}
	l.guard = guard
	return nil
}

// replace renames tmp over path; neither may be open then. The lock file keeps
// the others out.
func (l *lockedFile) replace(tmp *os.File, path string) error {
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := l.File.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func keepOwner(*os.File, os.FileInfo) {}

// syncDir does nothing: NTFS journals the rename.
func syncDir(string) error { return nil }

func ignoreUnsupported(err error) error {
	if errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_INVALID_HANDLE) {
		return nil
	}
	return err
}

// lockTemp does nothing: the lock file guards the new file too.
func (l *lockedFile) lockTemp() error { return nil }
