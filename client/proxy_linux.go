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

// proxyJob is a ProxyCommand in its own process group, which the keys of the
// terminal and its hang-up do not reach. It may still ask questions on the
// terminal: the kernel stops a background process that reads from it. Then the
// group gets the foreground, as a job gets it from a shell, until the first data
// comes from the program.
type proxyJob struct {
	tty  *os.File
	own  int // our process group
	pgid int // the program's process group

	mu   sync.Mutex
	lent bool // the program's group has the foreground
}

// newProxyJob returns nil if there is no controlling terminal.
func newProxyJob() *proxyJob {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return &proxyJob{tty: tty, own: unix.Getpgrp()}
}

// run starts the program, passes the result to started, and returns when the
// program has exited. It keeps its thread: Pdeathsig is sent when the thread
// that started the program ends, and nothing else would end the program if a
// signal ended this process.
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

// stopped handles a program that has stopped, as a shell does.
func (j *proxyJob) stopped(sig syscall.Signal) {
	switch sig {
	case unix.SIGTTIN, unix.SIGTTOU:
	case unix.SIGTSTP: // ^Z during its question stops us, too
		j.takeBack()
		if !stopGroup(sig) {
			return
		}
	default:
		return // it was stopped on purpose
	}
	for !j.lend() {
		if !stopGroup(unix.SIGTTIN) { // until we get the foreground
			return
		}
	}
	unix.Kill(-j.pgid, unix.SIGCONT)
}

// ended raises a signal of the terminal that was meant for the whole foreground
// but reached only the program.
func (j *proxyJob) ended(status unix.WaitStatus) {
	if !j.takeBack() || !status.Signaled() {
		return
	}
	if sig := status.Signal(); sig == unix.SIGINT || sig == unix.SIGQUIT {
		unix.Kill(0, sig)
	}
}

// lend gives the program the foreground. It reports false if we do not have it.
func (j *proxyJob) lend() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch front, err := unix.IoctlGetInt(int(j.tty.Fd()), unix.TIOCGPGRP); {
	case err != nil:
		return true // the terminal is gone, which the program will notice
	case front == j.pgid:
		return true
	case front != j.own:
		return false
	}
	j.lent = setForeground(j.tty, j.pgid) == nil
	return true
}

// takeBack takes the foreground back. It reports false if it was not lent.
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

// setForeground calls tcsetpgrp. SIGTTOU is blocked, which the kernel sends to a
// background process that calls it.
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
// orphaned process group is never stopped.
const continuedWithin = time.Second

// stopGroup stops our process group and returns when it is continued. It reports
// false if it was not stopped.
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
