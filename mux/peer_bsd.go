//go:build darwin || freebsd

package mux

import "golang.org/x/sys/unix"

// peerUID returns the user who made the connection, from the kernel (SO_PEERCRED
// or LOCAL_PEERCRED).
func peerUID(fd int) (int, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
