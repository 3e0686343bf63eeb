package hostkey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// edit does what hostfile_replace_entries of OpenSSH's hostfile.c does: the
// host's lines with keys that the server no longer announces go, everything
// else stays byte for byte, and in the first file what is missing is added. nil
// is no change. The text is what the file holds now, which may be more than was
// planned on. A key that is in another user file stays there; OpenSSH moves it
// to the first.
func (o *Options) edit(text string, p *updatePlan, first bool) ([]byte, error) {
	var out strings.Builder
	have := make([]match, len(p.keys))
	changed := false
	num := 0
	for raw := range strings.Lines(text) {
		num++
		l, isEntry, err := parseLine(strings.TrimSuffix(raw, "\n"), num)
		if isEntry && err == nil && p.drop(&l, have) {
			changed = true
			continue
		}
		out.WriteString(raw)
	}
	if first {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteByte('\n')
		}
		for i, k := range p.keys {
			names := p.missing(have[i] | k.onFile)
			if len(names) == 0 {
				continue
			}
			added, err := o.newLines(names, k.key)
			if err != nil {
				return nil, err
			}
			out.WriteString(added)
			changed = true
		}
	}
	if !changed {
		return nil, nil
	}
	return []byte(out.String()), nil
}

// drop decides on one line, and notes the announced keys that it has. Lines
// with markers, with names that ssh does not write, and those that cannot be
// understood are kept.
func (p *updatePlan) drop(l *line, have []match) bool {
	m, err := p.match(l)
	if err != nil || m == 0 || l.marker != MarkerNone || l.complexNames() {
		return false
	}
	key, err := l.publicKey()
	if err != nil {
		return false
	}
	for i, k := range p.keys {
		if sshkey.Same(k.key, key) {
			have[i] |= m
			return false
		}
	}
	return p.isOld(key)
}

// isOld reports a key that was planned, and told, to be removed. One that came
// to the file meanwhile was put there by somebody who knew better.
func (p *updatePlan) isOld(key ssh.PublicKey) bool {
	for _, old := range p.old {
		if sshkey.Same(old, key) {
			return true
		}
	}
	return false
}

// missing are the names under which a key is yet to be added.
func (p *updatePlan) missing(have match) []string {
	var names []string
	if have&matchName == 0 {
		names = append(names, p.name)
	}
	if have&matchAddress == 0 && p.address != "" {
		names = append(names, p.address)
	}
	return names
}

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

// errName means that a name cannot stand in a known_hosts line: it would be
// read as a pattern, a list, a comment, or as a line of its own.
var errName = errors.New("host name cannot be written to known_hosts")

// addKey adds a key under one or two names to a file. Names that have the key
// already, because another client was faster, are not written again.
func (o *Options) addKey(ctx context.Context, file string, names []string, key ssh.PublicKey) error {
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if err := o.makeUserDir(file); err != nil {
		return err
	}
	f, err := openLocked(ctx, file, os.O_RDWR|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	if !f.info.Mode().IsRegular() {
		return nil // /dev/null
	}
	old, err := readSettled(ctx, f)
	if err != nil {
		return err
	}
	names = missingNames(string(old), names, key)
	if len(names) == 0 {
		return nil
	}
	text, err := o.newLines(names, key)
	if err != nil {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = "\n" + text
	}
	// One write: O_APPEND puts it behind whatever others append meanwhile, and
	// a crash leaves all of it or nothing.
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return ignoreUnsupported(f.Sync())
}

// checkName refuses what is special to the file's format.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n\v\f\x00,*?!|#") || name[0] == '@' {
		return fmt.Errorf("%w: %q", errName, name)
	}
	return nil
}

// newLines are the lines for a key: "host,address", or a line for each name
// if they are hashed.
func (o *Options) newLines(names []string, key ssh.PublicKey) (string, error) {
	if !o.HashKnownHosts {
		return strings.Join(names, ",") + " " + keyText(key) + "\n", nil
	}
	var b strings.Builder
	for _, name := range names {
		hashed, err := newHashedName(o.Rand, name)
		if err != nil {
			return "", err
		}
		b.WriteString(hashed + " " + keyText(key) + "\n")
	}
	return b.String(), nil
}

// missingNames are the names that have no line with the key.
func missingNames(text string, names []string, key ssh.PublicKey) []string {
	want := keyText(key)
	var missing []string
	for _, name := range names {
		if !hasLine(text, name, want) {
			missing = append(missing, name)
		}
	}
	return missing
}

// hasLine looks for a line with the key under a name.
func hasLine(text, name, key string) bool {
	for l, err := range lines(text) {
		if err != nil || l.marker != MarkerNone || !strings.HasPrefix(l.key, key) {
			continue
		}
		if ok, _ := l.matches(name); ok {
			return true
		}
	}
	return false
}

// makeUserDir makes a missing ~/.ssh; any other folder is the user's affair.
func (o *Options) makeUserDir(file string) error {
	dir := filepath.Dir(file)
	if filepath.Base(dir) != ".ssh" {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		o.Notify(UserDirFailed{Dir: dir, Err: err})
		return err
	}
	return nil
}
