package testenv

import (
	"os"
	"os/signal"
	"syscall"
)

// HeedSignals makes SIGHUP and SIGINT effective for programs that tests start,
// for use in TestMain. A process that was started by nohup(1), or in the
// background by a shell without job control, ignores them, and so do the
// programs that it starts. A signal that it catches has its default effect in
// them (execve(2)).
func HeedSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}
