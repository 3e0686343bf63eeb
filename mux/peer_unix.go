//go:build linux || darwin || freebsd

package mux

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// checkPeer lets in the same user and root, whatever the modes of the socket
// and of its directory say.
func checkPeer(c *net.UnixConn) error {
	uid, err := peer(c)
	if err == nil && uid != 0 && uid != os.Geteuid() {
		err = ErrPeer
	}
	return err
}

// checkMaster is checkPeer for the client, which passes descriptors to the master.
// As in ssh, root may also use a user's master, but only if no other user can have
// created its socket: see checkFolder.
func checkMaster(c *net.UnixConn, path string) error {
	err := checkPeer(c)
	if err != ErrPeer || os.Geteuid() != 0 {
		return err
	}
	uid, err := peer(c)
	if err != nil {
		return err
	}
	return checkFolder(filepath.Dir(path), uid)
}

// checkFolder returns ErrPeer unless the user owns the folder, and the user or
// root owns each folder above it, and other users can write to none of them. A
// folder in one such as /tmp may have been created by any user.
func checkFolder(dir string, uid int) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return err
	}
	for own := true; ; own = false {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || info.Mode().Perm()&0o022 != 0 {
			return ErrPeer
		}
		if owner := int(stat.Uid); owner != uid && (own || owner != 0) {
			return ErrPeer
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// peer is the user at the other end.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerUID(int(fd)) }); err != nil {
		return -1, err
	}
	return uid, os.NewSyscallError("getsockopt", failed)
}
