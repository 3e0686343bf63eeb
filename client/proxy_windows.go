package client

import (
	"os"
	"os/exec"
	"syscall"
)

const defaultShell = "cmd.exe"

// shellCommand leaves the quoting of line alone: cmd.exe has rules of its own.
func shellCommand(shell, line string) *exec.Cmd {
	cmd := exec.Command(shell)
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `"` + shell + `" /c ` + line}
	return cmd
}

// hangUp has no gentler way on Windows.
func hangUp(p *os.Process) { p.Kill() }
