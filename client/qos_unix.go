//go:build unix

package client

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshconfig"
)

// SetQoS sets the service class of IPQoS for the packets of the connection. It
// does nothing for QoSNone, and if the connection is not a TCP connection of
// this process.
func (c *Client) SetQoS(class sshconfig.QoS) error {
	conn, ok := c.NetConn().(*net.TCPConn)
	if !ok || class == sshconfig.QoSNone {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	if conn.LocalAddr().(*net.TCPAddr).IP.To4() != nil {
		level, option = unix.IPPROTO_IP, unix.IP_TOS
	}
	return setOption(raw, level, option, int(class))
}

func setOption(raw syscall.RawConn, level, option, value int) (err error) {
	if cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), level, option, value)
	}); cerr != nil {
		return cerr
	}
	return err
}
