//go:build !(linux || darwin || freebsd)

package mux

import (
	"context"
	"net"
)

// sunPath is the size of sockaddr_un.sun_path, whose last byte is NUL.
func sunPath() int { return 108 }

func checkPath(path string, extra int) error {
	if limit := sunPath() - 1 - extra; len(path) > limit {
		return &PathError{Path: path, Length: len(path), Limit: limit}
	}
	return nil
}

// controlSocket is never made here.
type controlSocket struct{ *net.UnixListener }

func listenSocket(context.Context, string, bool) (*controlSocket, error) { return nil, ErrUnsupported }

func (*controlSocket) remove() {}
func (*controlSocket) refuse() {}

// IsStale reports whether path is a socket of this user on which nobody listens.
func IsStale(context.Context, string) bool { return false }

func sameSocket(string, uint64, uint64) bool { return false }

func ownSocket(string) (dev, ino uint64, ok bool) { return 0, 0, false }
