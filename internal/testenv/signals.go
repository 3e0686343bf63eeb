package testenv

import (
	"os"
	"os/signal"
	"syscall"
)

// HeedSignals is for a TestMain whose tests send signals to programs that they
// start. Started by nohup(1), or in the background by a shell without job
// control, a process ignores some, and so do those that it starts; one that it
// catches, though, they meet with its usual effect (execve(2)).
func HeedSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}
