//go:build unix

package share

import (
	"os"
	"syscall"
)

func resizeSignal() os.Signal { return syscall.SIGWINCH }

// relayResize has the master ask the terminals again.
func relayResize(pid int) {
	if pid > 0 {
		syscall.Kill(pid, syscall.SIGWINCH)
	}
}
