//go:build unix && !linux

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// defaultSignal does nothing: a signal stays with the Go runtime.
func defaultSignal(syscall.Signal) {}

// dieOf ends the process by a signal. Of SIGQUIT it would die with a list of
// its goroutines: it is the caller who ends then.
func dieOf(s os.Signal) {
	if !isQuit(s) {
		signal.Reset(s)
		raise(s)
	}
}
