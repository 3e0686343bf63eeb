package sshtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// hangupGrace is how long a process may take to exit after SIGHUP.
const hangupGrace = 2 * time.Second

// Demo returns the options of a server that gives the user of this process a
// login shell. The only way to log in is one of the keys.
func Demo(keys ...ssh.PublicKey) (Options, error) {
	u, err := user.Current()
	if err != nil {
		return Options{}, fmt.Errorf("sshtest: %w", err)
	}
	name := u.Username
	if i := strings.LastIndexByte(name, '\\'); i >= 0 { // DOMAIN\name on Windows
		name = name[i+1:]
	}
	return Options{
		Users:   []User{{Name: name, Keys: keys}},
		Methods: []string{"publickey"},
		Process: Process{Shell: os.Getenv("SHELL"), Login: true, Dir: u.HomeDir},
	}, nil
}

// runProcess is the Handler of servers without one: it runs the command by the
// shell. If the channel is closed first, the process group gets SIGHUP (sshd
// sends it for terminals only), and is killed if it does not exit.
func runProcess(s *Session) Exit {
	p := s.Conn.srv.opts.Process
	shell, flag := p.Shell, "-c"
	if shell == "" {
		shell = "/bin/sh"
		if runtime.GOOS == "windows" {
			shell, flag = "cmd.exe", "/c"
		}
	}
	var args []string
	switch {
	case s.Kind == "exec":
		args = []string{flag, s.Command}
	case p.Login && runtime.GOOS != "windows":
		args = []string{"-l"}
	}
	return s.runCommand(exec.Command(shell, args...))
}

// subsystem returns the handler of a subsystem, or nil.
func (s *Server) subsystem(name string) Handler {
	if h := s.opts.Subsystems[name]; h != nil {
		return h
	}
	if name != "sftp" {
		return nil
	}
	path, ok := findSFTPServer()
	if !ok {
		return nil
	}
	return func(s *Session) Exit { return s.runCommand(exec.Command(path)) }
}

// findSFTPServer returns the path of OpenSSH's sftp-server.
func findSFTPServer() (string, bool) {
	for _, dir := range []string{"/usr/lib/openssh", "/usr/libexec", "/usr/libexec/openssh", "/usr/lib/ssh",
		filepath.Join(os.Getenv("SystemRoot"), "System32", "OpenSSH")} {
		if path, err := exec.LookPath(filepath.Join(dir, "sftp-server")); err == nil {
			return path, true
		}
	}
	path, err := exec.LookPath("sftp-server")
	return path, err == nil
}

// runCommand runs cmd on the session, with a pseudo-terminal if there was a
// pty-req.
func (s *Session) runCommand(cmd *exec.Cmd) Exit {
	p := s.Conn.srv.opts.Process
	cmd.Dir, cmd.Env = p.Dir, s.environment(p.Env)
	if s.AgentForwarding {
		path, stop, err := s.serveAgentSocket()
		if err != nil {
			fmt.Fprintf(s.Stderr(), "agent forwarding: %v\n", err)
		} else {
			defer stop()
			cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+path)
		}
	}
	var err error
	if s.PTY != nil && havePTY {
		err = s.runOnPTY(cmd)
	} else {
		err = s.runOnPipes(cmd)
	}
	if cmd.ProcessState == nil {
		fmt.Fprintf(s.Stderr(), "%v\n", err)
		return Status(127)
	}
	return exitOf(cmd.ProcessState)
}

// environment returns base without the agent of this process, with the client's
// variables.
func (s *Session) environment(base []string) []string {
	if base == nil {
		base = os.Environ()
	}
	var env []string
	for _, e := range base {
		if !strings.HasPrefix(e, "SSH_AUTH_SOCK=") {
			env = append(env, e)
		}
	}
	if s.PTY != nil {
		env = append(env, "TERM="+s.PTY.Term)
	}
	return append(env, s.Env...)
}

// runOnPipes runs cmd with the channel as its three streams. It waits until cmd
// has exited and all output was sent. As with sshd, a background process that
// holds the output open keeps the session open.
func (s *Session) runOnPipes(cmd *exec.Cmd) error {
	setProcessGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	// os/exec's own copying of the output could not be stopped.
	var readers, writers []*os.File
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(readers, writers...))
			return err
		}
		readers, writers = append(readers, r), append(writers, w)
	}
	cmd.Stdout, cmd.Stderr = writers[0], writers[1]
	err = cmd.Start()
	closeAll(writers)
	if err != nil {
		closeAll(readers)
		return err
	}
	// Ends with the client's EOF, or with the channel.
	s.Conn.wg.Go(func() {
		io.Copy(stdin, s)
		stdin.Close()
	})
	ended := make(chan struct{})
	defer close(ended)
	s.Conn.wg.Go(func() { s.attend(cmd, ended, nil, func() { closeAll(readers) }) })
	var copies sync.WaitGroup
	for i, w := range []io.Writer{s, s.Stderr()} {
		copies.Go(func() {
			io.Copy(w, readers[i])
			readers[i].Close() // so that the command gets SIGPIPE
		})
	}
	err = cmd.Wait()
	copies.Wait()
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// attend passes signals and window sizes to a running command. When the channel
// has ended, it sends the command SIGHUP, and after a while SIGKILL. It ends
// when the command and its output have ended.
func (s *Session) attend(cmd *exec.Cmd, ended <-chan struct{}, resize func(Window), giveUp func()) {
	gone := s.ctx.Done()
	var patience <-chan time.Time
	for {
		select {
		case <-ended:
			return
		case name := <-s.Signals:
			signalGroup(cmd, name)
		case w := <-s.Windows:
			if resize != nil {
				resize(w)
			}
		case <-gone:
			gone = nil
			signalGroup(cmd, "HUP")
			t := time.NewTimer(hangupGrace)
			defer t.Stop()
			patience = t.C
		case <-patience:
			signalGroup(cmd, "KILL")
			giveUp()
		}
	}
}
