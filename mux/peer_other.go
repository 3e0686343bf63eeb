//go:build !(linux || darwin || freebsd)

package mux

import "net"

// checkPeer has nobody to ask here; the rights of the socket's file decide.
func checkPeer(*net.UnixConn) error { return nil }

func checkMaster(*net.UnixConn, string) error { return nil }
