//go:build unix

package sshkey

import (
	"io/fs"
	"os"
	"syscall"
)

// OthersCanUse reports whether a private key file is open to others than its
// owner. It is the check of OpenSSH's sshkey_perm_ok: it looks at our own files
// only, since the owner of another one decides for himself.
func OthersCanUse(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0
}
