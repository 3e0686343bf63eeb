package client

import (
	"os"
	"os/exec"
	"syscall"
)

const defaultShell = "cmd.exe"

// shellCommand passes line unquoted: cmd.exe has its own quoting rules.
func shellCommand(shell, line string) *exec.Cmd {
	cmd := exec.Command(shell)
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `"` + shell + `" /c ` + line}
	return cmd
}

// hangUp kills the process: Windows has no SIGHUP.
func hangUp(p *os.Process) { p.Kill() }
