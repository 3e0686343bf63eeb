//go:build unix

package client

import (
	"os"
	"os/exec"
	"syscall"
)

const defaultShell = "/bin/sh"

func shellCommand(shell, line string) *exec.Cmd {
	return exec.Command(shell, "-c", "exec "+line)
}

func hangUp(p *os.Process) { p.Signal(syscall.SIGHUP) }
