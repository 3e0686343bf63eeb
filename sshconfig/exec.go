package sshconfig

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// exec is the criterion that runs a command: it matches if the command's exit
// status is 0. It is skipped if an earlier criterion has failed.
func (m *matcher) exec(word, arg string, not bool) error {
	l := m.l
	command, err := l.mustExpand(arg, l.earlyTokens(m.host), false)
	if err != nil {
		return err
	}
	if !m.result {
		l.debugLine(m.d, levelDebug3, "skipped exec \"%.100s\"", command)
		return nil
	}
	shell, err := l.shell()
	if err != nil {
		return err
	}
	l.debug(levelDebug1, "Executing command: '%.500s'", command)
	status, err := l.runShell(shell, command)
	if err != nil {
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		l.plain(m.d, "command '%.100s' exited abnormally", command)
		return l.fatalLine(m.d, "match exec '%.100s' error", command)
	}
	l.debug(levelDebug3, "command returned status %d", status)
	m.decide(word, command, status == 0, not)
	return nil
}

// shell is the user's shell, which must be executable.
func (l *loader) shell() (string, error) {
	shell, ok := l.env("SHELL")
	if !ok {
		shell = defaultShell()
	}
	if err := executable(shell); err != nil {
		return "", l.fatal("", 0, "Shell \"%s\" is not executable: %s", shell, errnoText(err))
	}
	return shell, nil
}

func defaultShell() string {
	if runtime.GOOS == "windows" {
		return `C:\Windows\System32\cmd.exe`
	}
	return "/bin/sh"
}

// runShell runs a command with only standard error connected and returns its
// exit status. An error is a command that did not run or did not exit; the end
// of ctx kills it.
func (l *loader) runShell(shell, command string) (status int, err error) {
	flag := "-c"
	if runtime.GOOS == "windows" {
		flag = "/c"
	}
	cmd := exec.CommandContext(l.ctx, shell, flag, command)
	cmd.Stderr = l.opts.Stderr
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	// A command that leaves a child with its standard error behind is not
	// waited for beyond this.
	cmd.WaitDelay = time.Second
	if err = cmd.Start(); err != nil {
		if l.ctx.Err() == nil {
			l.bad("", 0, "Unable to execute '%.100s': %s", command, errnoText(err))
		}
		return 0, err
	}
	err = cmd.Wait()
	if st := cmd.ProcessState; st != nil && st.Exited() && l.ctx.Err() == nil {
		return st.ExitCode(), nil
	}
	return 0, err
}
