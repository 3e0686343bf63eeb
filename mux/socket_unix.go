//go:build linux || darwin || freebsd

package mux

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// suffix is what the temporary name of a socket has more than its path: a dot
// and sixteen random characters, as in OpenSSH.
const suffix = 17

// sunPath is the size of sockaddr_un.sun_path, whose last byte is NUL.
func sunPath() int { return len(unix.RawSockaddrUnix{}.Path) }

// checkPath refuses a path that does not fit with extra bytes more.
func checkPath(path string, extra int) error {
	if limit := sunPath() - 1 - extra; len(path) > limit {
		return &PathError{Path: path, Length: len(path), Limit: limit}
	}
	return nil
}

// controlSocket is a listener and the name by which it is found.
type controlSocket struct {
	*net.UnixListener
	path     string
	dev, ino uint64
}

// listenSocket makes a socket with mode 0600 at path. It is bound to another
// name first and then linked to path: so nobody meets a socket that is not
// ready, and link(2) neither replaces nor follows what is there already.
//
// replaceStale lets it take the place of a socket of ours that nobody listens on.
func listenSocket(ctx context.Context, path string, replaceStale bool) (*controlSocket, error) {
	if err := checkPath(path, 0); err != nil {
		return nil, err
	}
	temporary, address, done, err := temporaryName(path, rand.Text()[:suffix-1])
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: restrict}
	ln, err := config.Listen(ctx, "unix", address)
	done()
	if err != nil {
		return nil, err
	}
	l := &controlSocket{UnixListener: ln.(*net.UnixListener), path: path}
	l.SetUnlinkOnClose(false)
	err = l.publish(temporary)
	if errors.Is(err, ErrExists) && replaceStale && removeStale(ctx, path) {
		err = l.publish(temporary)
	}
	os.Remove(temporary)
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// restrict runs between socket and bind. Linux makes the file with the mode of
// the unbound socket, less the umask, so that no moment is left in which
// others can connect. Elsewhere this fails and publish sets the mode; whoever
// was quicker than that is turned away by checkPeer.
//
// OpenSSH sets the umask instead, which belongs to the whole process.
func restrict(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { unix.Fchmod(int(fd), 0o600) })
}

// publish gives the socket its name.
func (l *controlSocket) publish(temporary string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(temporary, &stat); err != nil {
		return &fs.PathError{Op: "lstat", Path: temporary, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK || int(stat.Uid) != os.Geteuid() {
		return &fs.PathError{Op: "bind", Path: temporary, Err: fs.ErrExist}
	}
	if stat.Mode&0o777 != 0o600 {
		if err := os.Chmod(temporary, 0o600); err != nil {
			return err
		}
	}
	l.dev, l.ino = uint64(stat.Dev), uint64(stat.Ino)
	err := os.Link(temporary, l.path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return err
}

// remove takes the name away, if it still is ours.
func (l *controlSocket) remove() {
	if sameSocket(l.path, l.dev, l.ino) {
		os.Remove(l.path)
	}
}

// refuse lets nobody connect any more, where the system can do that: on Linux
// a shut down listener refuses with ECONNREFUSED. Who waits in its queue can
// still be accepted.
func (l *controlSocket) refuse() {
	if runtime.GOOS != "linux" {
		return
	}
	if raw, err := l.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

// IsStale reports whether path is a socket of this user on which nobody listens.
func IsStale(ctx context.Context, path string) bool {
	_, _, stale := staleSocket(ctx, path)
	return stale
}

// staleSocket returns the identity of a socket that IsStale.
func staleSocket(ctx context.Context, path string) (dev, ino uint64, stale bool) {
	dev, ino, own := ownSocket(path)
	if !own {
		return 0, 0, false
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return dev, ino, errors.Is(err, syscall.ECONNREFUSED)
}

// removeStale removes a socket that IsStale, unless it was replaced meanwhile.
func removeStale(ctx context.Context, path string) bool {
	dev, ino, stale := staleSocket(ctx, path)
	return stale && sameSocket(path, dev, ino) && os.Remove(path) == nil
}

// sameSocket tells whether path is a socket with that identity.
func sameSocket(path string, dev, ino uint64) bool {
	var stat unix.Stat_t
	return unix.Lstat(path, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFSOCK &&
		uint64(stat.Dev) == dev && uint64(stat.Ino) == ino
}

// ownSocket gives the identity of the socket at path, if it is one of ours.
func ownSocket(path string) (dev, ino uint64, ok bool) {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK || int(stat.Uid) != os.Geteuid() {
		return 0, 0, false
	}
	return uint64(stat.Dev), uint64(stat.Ino), true
}
