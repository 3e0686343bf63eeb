//go:build !linux

package wipe

// Undumpable keeps other processes of the user from reading the memory of this
// one, until restore is called. Here the system has no such thing that could be
// taken back, and it does nothing.
func Undumpable() (restore func()) { return func() {} }
