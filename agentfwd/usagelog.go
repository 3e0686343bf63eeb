package agentfwd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// UsageLog appends a line for each use of a forwarded agent to a file.
type UsageLog struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first of a write
}

// OpenUsageLog opens the file at path, and creates it with mode 0600 if it does
// not exist. An existing file must be a regular file of the same user and not a
// link. Its mode is changed to 0600, because it shows who logs in where. The file
// that is checked is the one that was opened, even if another user replaces it.
func OpenUsageLog(path string) (*UsageLog, error) {
	file, err := openNoFollow(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := takeUsageLog(file); err != nil {
		file.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &UsageLog{file: file}, nil
}

// Why a file is not taken for a log.
var (
	errNotRegular = errors.New("not a regular file")
	errNotOwner   = errors.New("owned by another user")
)

// takeUsageLog checks the file that was opened and closes it to others.
func takeUsageLog(file *os.File) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errNotRegular
	case !ownFile(info):
		return errNotOwner
	case info.Mode().Perm()&0o077 != 0:
		return file.Chmod(0o600)
	}
	return nil
}

// Log writes a line. It can be used as Policy.Log, and may be called by several
// goroutines. Close returns its errors.
func (l *UsageLog) Log(use Use) {
	line := use.String() + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.WriteString(line); err != nil && l.err == nil {
		l.err = err
	}
}

// Close closes the file and returns the first error of writing or closing.
func (l *UsageLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}

// maxLogValue is how much of a value goes into the log, of which the remote host
// can make any number of lines.
const maxLogValue = 1024

// String returns one line of name=value pairs. Values that come from elsewhere are
// quoted, and characters that are not printable are escaped.
func (u Use) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s host=%s op=%s outcome=%s",
		u.Time.UTC().Format(time.RFC3339), strconv.Quote(u.Host), u.Op, u.Outcome)
	pair := func(name, value string) {
		if len(value) > maxLogValue {
			value = value[:maxLogValue] + "..."
		}
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", name, strconv.Quote(value))
		}
	}
	pair("detail", u.Detail)
	if u.Op == "sign" {
		fmt.Fprintf(&b, " key=%s", u.Key.Fingerprint())
		pair("type", u.Key.Format)
		pair("comment", u.Key.Comment)
		fmt.Fprintf(&b, " purpose=%s", u.Data.Purpose)
		pair("user", u.Data.User)
		pair("service", u.Data.Service)
		if u.Data.HostKey != nil {
			fmt.Fprintf(&b, " hostkey=%s", ssh.FingerprintSHA256(u.Data.HostKey))
		}
		pair("namespace", u.Data.Namespace)
	}
	if u.Err != nil {
		pair("error", u.Err.Error())
	}
	return b.String()
}
