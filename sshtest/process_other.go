//go:build !unix

package sshtest

import (
	"errors"
	"os"
	"os/exec"
)

const havePTY = false

func setProcessGroup(*exec.Cmd) {}

// signalGroup kills the command for the signals that end programs. There are no
// others on this system.
func signalGroup(cmd *exec.Cmd, name string) {
	switch name {
	case "HUP", "INT", "KILL", "TERM", "QUIT":
		cmd.Process.Kill()
	}
}

func exitOf(state *os.ProcessState) Exit { return Status(state.ExitCode()) }

// runOnPTY is never called, since havePTY is false.
func (s *Session) runOnPTY(*exec.Cmd) error { return errors.ErrUnsupported }
