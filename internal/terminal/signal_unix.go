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

// stop sends pid (0: the process group) a signal that stops us, SIGTSTP or
// SIGTTOU, and returns true when the process runs again, or false, a moment
// later, if it was not stopped. The signal must be at its default; see
// [State.Suspend].
//
// kill may return some instants before the other threads see the signal:
// without waiting for SIGCONT, the caller's next step would race with the stop.
func stop(pid int, with unix.Signal) (stopped bool, err error) {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if err := unix.Kill(pid, with); err != nil {
		return false, os.NewSyscallError("kill", err)
	}
	select {
	case <-continued:
		return true, nil
	case <-time.After(notStopped):
	}
	// After a long stop the timer may be seen before the SIGCONT, which must
	// not be taken for another one by whoever listens next.
	select {
	case <-continued:
		return true, nil
	case <-time.After(notStopped / 5):
		return false, nil
	}
}

// waitForeground stops the process, as a change of the terminal's modes would,
// until its group has the terminal. Before that the modes are not ours even to
// look at: they are those of the job that has the terminal, the shell's line
// editor mostly, and nothing to go back to.
func waitForeground(fd int) error {
	for inBackground(fd) {
		stopped, err := stop(0, unix.SIGTTOU)
		if err != nil {
			return err
		}
		if !stopped {
			return nil // ignored, or nobody could continue us: tcsetattr will say
		}
	}
	return nil
}
