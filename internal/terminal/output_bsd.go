//go:build darwin || freebsd

package terminal

import "golang.org/x/sys/unix"

// writeNow is Linux's.
func writeNow(int, []byte) (int, error) { return 0, unix.EOPNOTSUPP }
