//go:build linux

package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// patience is how long anything may take on a machine that is busy with other
// things, and lifetime how long a program may run that does many of them. They
// are bounds against what hangs: nothing waits for them to pass.
const (
	patience = time.Minute
	lifetime = 4 * time.Minute
)

// need skips a test for which a program is missing. With CI=true it fails the
// test.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

// world is the surroundings of programs in a test: a home folder, an
// environment without agent and display, and usually a server.
type world struct {
	t    *testing.T
	home string
	env  []string
	srv  *opensshd.Server
	cfg  string   // the -F file
	pre  []string // what goes before all other arguments
}

// newWorld returns a world without a server.
func newWorld(t *testing.T) *world {
	t.Helper()
	home := t.TempDir()
	w := &world{t: t, home: home, cfg: filepath.Join(home, "config")}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "SHELL=/bin/sh",
		"TERM=xterm", "LC_ALL=C.UTF-8", "HISTFILE=/dev/null", "PS1=local$ ",
		// A race must not look like the program's own output.
		"GORACE=atexit_sleep_ms=0 log_path=" + filepath.Join(raceDir, "race"),
	}
	w.write("config", "")
	w.pre = []string{"-F", w.cfg}
	return w
}

// withSSHD returns a world with a real sshd, named "sshd".
func withSSHD(t *testing.T, opts opensshd.Options) *world {
	t.Helper()
	need(t, "ssh")
	w := newWorld(t)
	// The sessions get a home of their own too, or each would read the
	// profile of whoever runs the tests. sshd takes one SetEnv.
	env := "SetEnv HOME=" + w.home + " HISTFILE=/dev/null SERVER=yes\n"
	opts.Extra = env + "MaxStartups 100:30:200\nPrintMotd no\nPrintLastLog no\n" + opts.Extra
	w.write(".bash_profile", "PS1='remote$ '\n")
	w.write(".inputrc", "set enable-bracketed-paste off\n")
	w.write(".profile", "PS1='remote$ '\n")
	w.srv = opensshd.NewServer(t, &opts)
	w.cfg = w.srv.Config
	w.pre = []string{"-F", w.cfg}
	return w
}

// withServer returns a world with a server in the process, named "sshtest".
// The configuration has no BatchMode, so that the server may ask.
func withServer(t *testing.T, opts sshtest.Options, lines ...string) (*world, *sshtest.Server) {
	t.Helper()
	w := newWorld(t)
	srv := sshtest.NewServer(t, &opts)
	w.write("known_hosts", srv.KnownHosts())
	w.write("config", strings.Join(lines, "\n")+fmt.Sprintf(`
Host sshtest
  HostName 127.0.0.1
  Port %d
  User test
  IdentityFile none
  IdentityAgent none
  UserKnownHostsFile %s
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
`, srv.Port(), w.path("known_hosts")))
	return w, srv
}

func (w *world) path(name string) string { return filepath.Join(w.home, name) }

// write writes a file below home and returns its path.
func (w *world) write(name, text string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

// script writes an executable shell script and returns its path. It holds off
// the start of other programs, which would have the file open for writing
// until their exec, so that the script could not be run (ETXTBSY).
func (w *world) script(name, text string) string {
	w.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(w.path(name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// setenv adds variables for the programs of this world.
func (w *world) setenv(vars ...string) { w.env = append(slices.Clone(w.env), vars...) }

// gossh prepares the program under test.
func (w *world) gossh(args ...string) *exec.Cmd { return w.command(gosshPath, args...) }

// ssh prepares OpenSSH's client for the same.
func (w *world) ssh(args ...string) *exec.Cmd {
	need(w.t, "ssh")
	return w.command("ssh", args...)
}

// command prepares gossh or ssh, without a controlling terminal.
func (w *world) command(name string, args ...string) *exec.Cmd {
	w.t.Helper()
	w.needTerminals(args)
	args = append(slices.Clone(w.pre), args...)
	if t := os.Getenv("GOSSH_TEST_TRANSPORT"); t != "" && name == gosshPath {
		args = append([]string{"-o", "Transport=" + t}, args...)
	}
	return w.tool(name, args...)
}

// at returns the world for a subtest.
func (w *world) at(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

// needTerminals skips a test that asks for a terminal if the sshd cannot give
// one.
func (w *world) needTerminals(args []string) {
	w.t.Helper()
	wants := func(arg string) bool {
		return arg == "-t" || arg == "-tt" || arg == "RequestTTY=yes" || arg == "RequestTTY=force"
	}
	if w.srv != nil && slices.ContainsFunc(args, wants) {
		opensshd.NeedTerminals(w.t)
	}
}

// tool prepares any other program.
func (w *world) tool(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(w.t.Context(), lifetime)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = w.env
	cmd.Dir = w.home
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// outcome is the end of a program. status is -1 after a signal.
type outcome struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("status %d\nstdout %.2000q\nstderr %.4000q", o.status, o.stdout, o.stderr)
}

// run runs cmd to its end. Descriptors that the caller has set stay.
func (w *world) run(cmd *exec.Cmd) outcome {
	w.t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	begin := time.Now()
	err := cmd.Run()
	o := outcome{stdout: out.String(), stderr: errs.String(), status: -1, took: time.Since(begin)}
	if cmd.ProcessState != nil {
		o.status = cmd.ProcessState.ExitCode()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || o.took >= lifetime {
		w.t.Errorf("%q: %v\n%v", cmd.Args, err, o)
	}
	return o
}

// want fails the test unless the outcome has this status and output. A nil
// stderr stands for any.
func (o outcome) want(t *testing.T, status int, stdout string, stderr *string) {
	t.Helper()
	if o.status != status || o.stdout != stdout || (stderr != nil && o.stderr != *stderr) {
		t.Errorf("want status %d, stdout %q\ngot %v", status, stdout, o)
	}
}

func silent() *string { return new(string) }

// eventually waits until a condition holds that it can only poll: the end of a
// process that is no child, or a file of another program.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// alive reports whether a process runs. A zombie does not.
func alive(pid int) bool {
	state := procState(pid)
	return state != 0 && state != 'Z'
}

// procState returns the state letter of /proc/PID/stat, 0 if there is no such
// process.
func procState(pid int) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text[bytes.LastIndexByte(text, ')'):], []byte(" "))
	return rest[0]
}

// readLine reads a line of the output of a running program.
func readLine(t *testing.T, r io.Reader) string {
	t.Helper()
	got := make(chan string, 1)
	go func() { // ends with the line or with the reader
		var line []byte
		b := make([]byte, 1)
		for {
			if _, err := r.Read(b); err != nil || b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		got <- string(line)
	}()
	select {
	case line := <-got:
		return line
	case <-time.After(patience):
		t.Fatal("no line of output")
		return ""
	}
}

// serveOn calls handle for each connection to ln and closes the connection
// after that. It closes ln at the end of the test.
func serveOn(t *testing.T, ln net.Listener, handle func(net.Conn)) {
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
}

// startPiped starts a program with pipes for its standard input and output.
func startPiped(t *testing.T, cmd *exec.Cmd) (in io.WriteCloser, out io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// linkTo returns a proxy for addr that can fail on demand.
func linkTo(t *testing.T, addr string) *faultnet.Proxy {
	t.Helper()
	link, err := faultnet.NewProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	return link
}
