package cli

import (
	"os"
	"syscall"
	"unsafe"
)

// defaultSignal is sigaction(sig, SIG_DFL), which package os/signal has no
// words for: its Reset gives a signal back to the Go runtime. There is no
// signal.Notify for it afterwards.
func defaultSignal(sig syscall.Signal) {
	var action [128]byte // the kernel's struct: all zero is SIG_DFL on every architecture
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, kernelSigset, 0, 0)
}

// dieOf ends the process by a signal.
func dieOf(s os.Signal) {
	if sig, ok := s.(syscall.Signal); ok {
		defaultSignal(sig)
	}
	raise(s)
}
