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

// UsageLog appends one line for each use of a forwarded agent to a file.
type UsageLog struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first of a write
}

// OpenUsageLog opens the file, which is made with mode 0600 if need be. What is
// there must be a regular file, not a link; its mode is brought to 0600, as it
// tells who logs in where.
func OpenUsageLog(path string) (*UsageLog, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := file.Chmod(0o600); err != nil {
			file.Close()
			return nil, err
		}
	}
	return &UsageLog{file: file}, nil
}

// Log writes one line. It fits Policy.Log, and may be called concurrently. An
// error is kept for Close.
func (l *UsageLog) Log(use Use) {
	line := use.String() + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.WriteString(line); err != nil && l.err == nil {
		l.err = err
	}
}

// Close closes the file and returns the first error there was.
func (l *UsageLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}

// String returns one line of name=value pairs. Values that come from elsewhere
// are quoted, with everything that is not printable escaped.
func (u Use) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s host=%s op=%s outcome=%s",
		u.Time.UTC().Format(time.RFC3339), strconv.Quote(u.Host), u.Op, u.Outcome)
	pair := func(name, value string) {
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
