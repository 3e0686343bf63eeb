//go:build unix

package sshconfig

import "golang.org/x/sys/unix"

// executable reports why a file cannot be executed.
func executable(name string) error { return unix.Access(name, unix.X_OK) }
