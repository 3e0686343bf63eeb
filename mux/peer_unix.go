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

// checkMaster is checkPeer for the client, whose descriptors the master gets.
// Root, as with ssh, may also go to a user's master, where only that user can
// have put its socket; one in a folder such as /tmp may be a trap.
func checkMaster(c *net.UnixConn, path string) error {
	err := checkPeer(c)
	if err != ErrPeer || os.Geteuid() != 0 {
		return err
	}
	uid, err := peer(c)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != uid || info.Mode().Perm()&0o022 != 0 {
		return ErrPeer
	}
	return nil
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
