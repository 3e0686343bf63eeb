//go:build linux || darwin || freebsd

package terminal

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// notStopped is how long stop waits for a stop that does not come. The kernel
// throws SIGTSTP away if the process group is orphaned (nobody could continue
// it), and nothing reports that.
const notStopped = 250 * time.Millisecond

// stop sends SIGTSTP to pid (0: the process group) and returns when the
// process runs again, or at once, more or less, if the kernel refused to stop
// it. The signal must be at its default; see [State.Suspend].
//
// kill may return some instants before the other threads see the signal:
// without waiting for SIGCONT, the caller's next step would race with the stop.
func stop(pid int) error {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if err := unix.Kill(pid, unix.SIGTSTP); err != nil {
		return os.NewSyscallError("kill", err)
	}
	select {
	case <-continued:
		return nil
	case <-time.After(notStopped):
	}
	// After a long stop the timer may be seen before the SIGCONT, which must
	// not be taken for another one by whoever listens next.
	select {
	case <-continued:
	case <-time.After(notStopped / 5):
	}
	return nil
}
