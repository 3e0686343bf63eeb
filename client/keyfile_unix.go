//go:build unix

package client

import (
	"io/fs"
	"os"
	"syscall"
)

// othersCanUse is the check of OpenSSH's sshkey_perm_ok: it looks at our own
// files only, since whoever else owns one decides for himself.
func othersCanUse(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0
}
