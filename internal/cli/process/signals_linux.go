package process

import (
	"os"
	"syscall"
	"unsafe"
)

// defaultSignal calls sigaction(sig, SIG_DFL). signal.Reset would give the signal
// back to the Go runtime. Afterwards signal.Notify does not work for it.
func defaultSignal(sig syscall.Signal) {
	var action [128]byte // the kernel's struct: all zero is SIG_DFL on every architecture
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, kernelSigset, 0, 0)
}

// die ends the process with a signal.
func die(s os.Signal) {
	if sig, ok := s.(syscall.Signal); ok {
		defaultSignal(sig)
	}
	raise(s)
}
