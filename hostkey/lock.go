package hostkey

import (
	"context"
	"errors"
	"os"
	"time"
)

const (
	// lockWait is how long a file may be held by others: nobody holds it
	// longer than one read and one write take.
	lockWait = 10 * time.Second
	// lockPoll is the pause between two attempts; flock(2) that waits could
	// not be given up when the context ends.
	lockPoll = 5 * time.Millisecond
	// partialWait is how long a last line without its newline may be one that
	// ssh is still writing: it writes a line in several pieces, and locks nothing.
	partialWait = 50 * time.Millisecond
)

// errBusy is what tryLock says of a lock that another open file holds.
var errBusy = errors.New("file is locked")

// openLocked opens a known_hosts file and takes the exclusive lock that all
// gossh processes take for writing. The lock is on the file itself, so that no
// lock files lie about; who gets it after the file was replaced starts over
// with the new one.
func openLocked(ctx context.Context, path string, flag int) (*lockedFile, error) {
	deadline := time.NewTimer(lockWait)
	defer deadline.Stop()
	for {
		f, err := tryOpenLocked(path, flag)
		if !errors.Is(err, errBusy) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-deadline.C:
			return nil, &os.PathError{Op: "lock", Path: path, Err: ErrLocked}
		case <-time.After(lockPoll):
		}
	}
}

// tryOpenLocked is one attempt; errBusy asks for another one.
func tryOpenLocked(path string, flag int) (*lockedFile, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	l := &lockedFile{File: f, info: info}
	// UserKnownHostsFile /dev/null is common; there is nothing to protect.
	if !info.Mode().IsRegular() {
		return l, nil
	}
	if err := l.lock(path); err != nil {
		l.Close()
		return nil, err
	}
	now, err := os.Stat(path)
	if err != nil || !os.SameFile(info, now) {
		// Replaced or removed while we waited for the lock.
		l.Close()
		return nil, errBusy
	}
	return l, nil
}

// lockedFile is a file that is open and, where that can be, locked.
type lockedFile struct {
	*os.File
	info os.FileInfo
	platformLock
}

// Close releases the lock with the file.
func (l *lockedFile) Close() error {
	err := l.File.Close()
	l.release()
	return err
}
