//go:build linux || darwin || freebsd

package mux

import (
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// sendFD passes a descriptor as OpenSSH does, with a message of one NUL byte.
func sendFD(c *net.UnixConn, fd int) error {
	_, _, err := c.WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil)
	return err
}

// receiveFD receives one descriptor. Other descriptors that came with it are
// closed. recvmsg of Go sets close-on-exec.
func receiveFD(c *net.UnixConn) (int, error) {
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := c.ReadMsgUnix(data[:], oob)
	fds := parseRights(oob[:max(oobn, 0)])
	switch {
	case err != nil:
	case n == 0:
		err = io.ErrUnexpectedEOF
	case len(fds) != 1:
		err = &ProtocolError{"did not receive file descriptors"}
	default:
		return fds[0], nil
	}
	for _, fd := range fds {
		closeFD(fd)
	}
	return -1, err
}

func parseRights(oob []byte) []int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func closeFD(fd int) error { return unix.Close(fd) }
