//go:build !unix

package sshtest

import (
	"errors"
	"os"
	"os/exec"
)

const havePTY = false

func setProcessGroup(*exec.Cmd) {}

// signalGroup ends the command on the signals that mean it; there are no
// others here.
func signalGroup(cmd *exec.Cmd, name string) {
	switch name {
	case "HUP", "INT", "KILL", "TERM", "QUIT":
		cmd.Process.Kill()
	}
}

func exitOf(state *os.ProcessState) Exit { return Status(state.ExitCode()) }

// runOnPTY is not called, as havePTY says.
func (s *Session) runOnPTY(*exec.Cmd) error { return errors.ErrUnsupported }
