//go:build !(linux || darwin || freebsd)

package mux

import "net"

func sendFD(*net.UnixConn, int) error { return ErrUnsupported }

func receiveFD(*net.UnixConn) (int, error) { return -1, ErrUnsupported }

func closeFD(int) error { return nil }
