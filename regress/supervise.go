//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// superviseCommand is the argument that makes the program a supervisor.
const superviseCommand = "supervise"

// timeLimit begins the last line of a test that ran out of time.
const timeLimit = "the time is up:"

// The exit statuses of a supervisor that are not the test's own.
const (
	exitTimeout = 124
	exitBroken  = 125
)

// supervise runs argv with a time limit and returns its exit status. It is the
// parent of every orphan below it (PR_SET_CHILD_SUBREAPER), daemons included,
// and leaves none of them alive. It gives up when its stdin ends.
func supervise(limit string, argv []string) int {
	d, err := time.ParseDuration(limit)
	if err != nil {
		return broken(err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return broken(err)
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return broken(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return broken(err)
	}
	// Not os/exec: nothing but reap may wait for children.
	process, err := os.StartProcess(path, argv, &os.ProcAttr{
		Files: []*os.File{null, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return broken(err)
	}
	ended, childless := make(chan int, 1), make(chan struct{})
	go reap(process.Pid, ended, childless)
	status := await(ended, d)
	killDescendants(childless)
	return status
}

func broken(err error) int {
	fmt.Println("supervisor:", err)
	return exitBroken
}

// await returns the status of the test, or the reason for ending it.
func await(ended <-chan int, limit time.Duration) int {
	abandoned := make(chan struct{})
	go func() { // ends with the runner's end of the pipe, or with this process
		io.Copy(io.Discard, os.Stdin)
		close(abandoned)
	}()
	select {
	case status := <-ended:
		return status
	case <-time.After(limit):
		fmt.Println(timeLimit, limit)
		return exitTimeout
	case <-abandoned:
		return exitBroken
	}
}

// reap waits for all children, adopted ones too, and sends the status of the
// process pid. It returns when no child is left.
func reap(pid int, ended chan<- int, childless chan<- struct{}) {
	defer close(childless)
	for {
		var status unix.WaitStatus
		child, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if child == pid {
			ended <- exitStatus(status)
		}
	}
}

func exitStatus(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// killDescendants kills children until none is left. The children of a dead
// child become children of this process.
func killDescendants(childless <-chan struct{}) {
	for range 200 {
		for _, pid := range children(os.Getpid()) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-childless:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Println("supervisor: processes are left that cannot be killed")
}

// children returns the processes whose parent is ppid, without zombies.
func children(ppid int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended meanwhile
		}
		// PID (COMMAND) STATE PPID ...; the command may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[0]) == "Z" || string(fields[1]) != strconv.Itoa(ppid) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
