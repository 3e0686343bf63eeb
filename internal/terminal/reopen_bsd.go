//go:build darwin || freebsd

package terminal

import "golang.org/x/sys/unix"

// reopen is Linux's: elsewhere /dev/fd/N is a duplicate.
func reopen(int, int) (own int, ok bool) { return -1, false }

// readNow is Linux's.
func readNow(int, []byte) (int, error) { return 0, unix.EOPNOTSUPP }
