package hostkey

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// readAll reads an open file from its beginning.
func readAll(f *lockedFile) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
}

// readSettled reads the file. If its last line has no end yet, an ssh may be
// in the midst of writing it: it gets a moment to finish.
func readSettled(ctx context.Context, f *lockedFile) ([]byte, error) {
	for give := time.Now().Add(partialWait); ; {
		data, err := readAll(f)
		if err != nil || len(data) == 0 || data[len(data)-1] == '\n' || time.Now().After(give) {
			return data, err
		}
		select {
		case <-ctx.Done():
			return data, nil
		case <-time.After(lockPoll):
		}
	}
}

// maxRewrites is how often a rewrite starts over because somebody who does not
// know our lock wrote in between.
const maxRewrites = 10

// rewrite replaces a file by what edit makes of it; edit returns nil for "leave
// it". The new file is complete and on disk before it takes the old one's
// place; the old one stays as FILE.old, as ssh leaves it. A symbolic link stays
// one.
//
// An ssh appends without a lock, to the file that it has open. So we look again
// right before the rename, and once more after it at the old file: what was
// appended in between is carried over.
func rewrite(ctx context.Context, file string, edit func(old []byte) ([]byte, error)) error {
	path, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	f, err := openLocked(ctx, path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if !f.info.Mode().IsRegular() {
		return nil
	}
	for range maxRewrites {
		old, err := readSettled(ctx, f)
		if err != nil {
			return err
		}
		text, err := edit(old)
		if err != nil || text == nil {
			return err
		}
		done, err := f.swap(path, old, text)
		if done || err != nil {
			return err
		}
	}
	return &os.PathError{Op: "rewrite", Path: file, Err: ErrLocked}
}

// swap puts text in the place of old; done is false if the file is no longer
// what was read.
func (l *lockedFile) swap(path string, old, text []byte) (done bool, err error) {
	tmp, err := l.writeTemp(path, text)
	if err != nil {
		return false, err
	}
	defer tmp.Close()
	if now, err := readAll(l); err != nil || !bytes.Equal(now, old) {
		os.Remove(tmp.Name())
		return false, err
	}
	keepOld(path)
	if err := l.replace(tmp.File, path); err != nil {
		os.Remove(tmp.Name())
		return false, err
	}
	if err := l.carryOver(path, old); err != nil {
		return true, err
	}
	return true, syncDir(filepath.Dir(path))
}

// carryOver appends to the new file what the old one, which we still have open,
// has gained since it was read.
func (l *lockedFile) carryOver(path string, old []byte) error {
	now, err := readAll(l)
	if err != nil || len(now) <= len(old) || !bytes.HasPrefix(now, old) {
		return nil
	}
	return appendTo(path, now[len(old):])
}

// appendTo carries lines over to the new file; others may be appending to it.
func appendTo(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return ignoreUnsupported(f.Sync())
}

// writeTemp writes the new file beside the old one, with its mode and owner,
// and locks it already: who opens it after the rename must wait for us.
func (l *lockedFile) writeTemp(path string, text []byte) (*lockedFile, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	t := &lockedFile{File: tmp}
	fail := func(err error) (*lockedFile, error) {
		t.Close()
		os.Remove(tmp.Name())
		return nil, err
	}
	if err := t.lockTemp(); err != nil {
		return fail(err)
	}
	if _, err := tmp.Write(text); err != nil {
		return fail(err)
	}
	keepOwner(tmp, l.info)
	if err := tmp.Chmod(l.info.Mode().Perm()); err != nil {
		return fail(err)
	}
	if err := ignoreUnsupported(tmp.Sync()); err != nil {
		return fail(err)
	}
	return t, nil
}

// keepOld leaves the old file as FILE.old, for the user and for lines that an
// ssh writes later than we can look. A file system without hard links has none.
func keepOld(path string) {
	if err := os.Remove(path + ".old"); err == nil || errors.Is(err, fs.ErrNotExist) {
		_ = os.Link(path, path+".old")
	}
}
