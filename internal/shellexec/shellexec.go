// Package shellexec starts programs as execlp(3) does: a file that the system
// does not take for a program, such as a script without #!, is run by /bin/sh.
package shellexec

import (
	"errors"
	"os/exec"
	"syscall"
)

const shell = "/bin/sh"

// Start starts a program. The command is made by command, which is called again
// for the shell if the system cannot run the file itself.
func Start(command func(name string, args ...string) *exec.Cmd, name string, args ...string) (*exec.Cmd, error) {
	cmd := command(name, args...)
	err := cmd.Start()
	if errors.Is(err, syscall.ENOEXEC) {
		cmd = command(shell, append([]string{cmd.Path}, args...)...)
		err = cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = &exec.Error{Name: name, Err: syscall.ENOENT} // what execlp(3) says
	}
	return cmd, err
}
