//go:build unix && !linux

package process

import (
	"os"
	"os/signal"
	"syscall"
)

// defaultSignal does nothing: the signal stays with the Go runtime.
func defaultSignal(syscall.Signal) {}

// die ends the process with a signal. It returns for SIGQUIT, because the Go
// runtime would print a list of its goroutines.
func die(s os.Signal) {
	if !isQuit(s) {
		signal.Reset(s)
		raise(s)
	}
}
