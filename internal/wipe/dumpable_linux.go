package wipe

import "golang.org/x/sys/unix"

// Undumpable keeps other processes of the user from reading the memory of this
// one (ptrace, /proc/PID/mem), and the system from writing it to a core file,
// until restore is called. Root can read it nonetheless. Programs that are
// started meanwhile are not affected. Where the system has no such thing it
// does nothing.
func Undumpable() (restore func()) {
	const dumpable = 1
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || before != dumpable || unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) != nil {
		return func() {}
	}
	return func() { unix.Prctl(unix.PR_SET_DUMPABLE, dumpable, 0, 0, 0) }
}
