//go:build linux || darwin || freebsd

package mux

import (
	"net"
	"os"
)

// checkPeer lets in the same user and root, whatever the modes of the socket
// and of its directory say.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var uid int
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerUID(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return os.NewSyscallError("getsockopt", failed)
	}
	if uid != 0 && uid != os.Geteuid() {
		return ErrPeer
	}
	return nil
}
