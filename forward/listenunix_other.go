//go:build !linux

package forward

import (
	"io/fs"
	"syscall"
)

// presetMode does nothing: elsewhere a socket gets its permissions after it is
// bound, and until then has what the umask leaves it.
func presetMode(syscall.RawConn, fs.FileMode) error { return nil }
