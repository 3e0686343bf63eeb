package hostkey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

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
