package forward

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// defaultSocketMode is 0777 under OpenSSH's default StreamLocalBindMask, 0177.
const defaultSocketMode = 0o600

// listenSocket listens on a Unix-domain socket that only those may connect to
// whom opts.SocketMode names.
func listenSocket(ctx context.Context, path string, opts Options) (net.Listener, error) {
	mode := opts.SocketMode.Perm()
	if opts.SocketMode == 0 {
		mode = defaultSocketMode
	}
	if strings.HasPrefix(path, "@") {
		path = "./" + path // to package net a leading @ is Linux's abstract namespace
	}
	var inTheWay error
	if opts.UnlinkSocket {
		if inTheWay = unlinkSocket(path); errors.Is(inTheWay, errNotSocket) {
			return nil, &ListenError{Addr: Addr{Socket: path}, Err: inTheWay}
		}
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return presetMode(c, mode)
	}}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, &ListenError{Addr: Addr{Socket: path}, Unlink: inTheWay, Err: err}
	}
	u := ln.(*net.UnixListener)
	u.SetUnlinkOnClose(false) // it would remove whatever has the name by then
	made, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		ln.Close()
		return nil, &ListenError{Addr: Addr{Socket: path}, Err: err}
	}
	abs, err := filepath.Abs(path) // the working directory may change until Close
	if err != nil {
		abs = path
	}
	return &socketListener{UnixListener: u, path: abs, made: made}, nil
}

// unlinkSocket removes a socket that is in the way, and nothing but a socket.
func unlinkSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return &fs.PathError{Op: "unlink", Path: path, Err: errNotSocket}
	}
	return os.Remove(path)
}

var errNotSocket = errors.New("not a socket")

// socketListener removes its socket when it closes, if the name still is its.
type socketListener struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

func (l *socketListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
