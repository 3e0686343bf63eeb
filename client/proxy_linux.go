package client

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// proxyJob is a ProxyCommand in a process group of its own, which the keys of
// the terminal and its end do not reach. It may ask on the terminal all the
// same: the kernel stops a process in the background that reads it, and then
// the group gets the foreground, as a shell gives it to a job, until the first
// data comes from the program.
type proxyJob struct {
	tty  *os.File
	own  int // our process group
	pgid int // that of the program

	mu   sync.Mutex
	lent bool // the program's group was given the foreground
}

// newProxyJob returns nil if there is no controlling terminal.
func newProxyJob() *proxyJob {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return &proxyJob{tty: tty, own: unix.Getpgrp()}
}

// run starts the program, reports that to started, and returns when it has
// ended. It keeps its thread, since the death of the thread that started the
// program is what Pdeathsig looks at: nothing else would end the program with
// this process, should a signal end that.
func (j *proxyJob) run(cmd *exec.Cmd, started func(error)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer j.tty.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGHUP}
	err := cmd.Start()
	if err == nil {
		j.pgid = cmd.Process.Pid
	}
	started(err)
	if err != nil {
		return
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(j.pgid, &status, unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
		case err != nil, !status.Stopped():
			cmd.Process.Release()
			j.ended(status)
			return
		default:
			j.stopped(status.StopSignal())
		}
	}
}

// stopped does what a shell does about a job that has stopped.
func (j *proxyJob) stopped(sig syscall.Signal) {
	switch sig {
	case unix.SIGTTIN, unix.SIGTTOU:
	case unix.SIGTSTP: // ^Z in its question is for all of us
		j.takeBack()
		if !stopGroup(sig) {
			return
		}
	default:
		return // somebody wants it stopped
	}
	for !j.lend() {
		if !stopGroup(unix.SIGTTIN) { // until we are brought to the foreground
			return
		}
	}
	unix.Kill(-j.pgid, unix.SIGCONT)
}

// ended passes on a key that was meant for all who are in the foreground, but
// met the program alone.
func (j *proxyJob) ended(status unix.WaitStatus) {
	if !j.takeBack() || !status.Signaled() {
		return
	}
	if sig := status.Signal(); sig == unix.SIGINT || sig == unix.SIGQUIT {
		unix.Kill(0, sig)
	}
}

// lend gives the program the foreground. It reports false if that is not ours
// to give.
func (j *proxyJob) lend() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch front, err := unix.IoctlGetInt(int(j.tty.Fd()), unix.TIOCGPGRP); {
	case err != nil:
		return true // the terminal has gone: the program is to find out
	case front == j.pgid:
		return true
	case front != j.own:
		return false
	}
	j.lent = setForeground(j.tty, j.pgid) == nil
	return true
}

// takeBack undoes lend, and reports whether there was anything to undo.
func (j *proxyJob) takeBack() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.lent {
		return false
	}
	j.lent = false
	if front, err := unix.IoctlGetInt(int(j.tty.Fd()), unix.TIOCGPGRP); err == nil && front == j.pgid {
		setForeground(j.tty, j.own)
	}
	return true
}

// setForeground is tcsetpgrp. It is called from the background too, where the
// kernel sends SIGTTOU unless that is blocked.
func setForeground(tty *os.File, pgid int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, old unix.Sigset_t
	n := uint(unix.SIGTTOU) - 1
	width := uint(8 * unsafe.Sizeof(block.Val[0]))
	block.Val[n/width] |= 1 << (n % width)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &old); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	return unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, pgid)
}

// continuedWithin is how long a stop of this process may take to begin. An
// orphaned process group is not stopped at all.
const continuedWithin = time.Second

// stopGroup stops our process group, and returns once it is continued. It
// reports false if it was not stopped.
func stopGroup(sig syscall.Signal) bool {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	unix.Kill(0, sig)
	limit := time.NewTimer(continuedWithin)
	defer limit.Stop()
	select {
	case <-continued:
		return true
	case <-limit.C:
		return false
	}
}
