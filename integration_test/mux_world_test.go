//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// muxMaster is a control socket and, if start made it, the process behind it.
type muxMaster struct {
	w     *world
	sock  string
	host  string
	cmd   *exec.Cmd
	errs  string        // the file of its stderr
	ended chan struct{} // closed when cmd has ended
}

// socket returns an unused control path that is short enough for a socket.
func (w *world) socket() string {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "mx")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "c")
}

// master starts a master in the foreground, without a session.
func (w *world) master(program string, args ...string) *muxMaster {
	w.t.Helper()
	m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	m.start(program, append([]string{"-M", "-N"}, args...)...)
	return m
}

// start starts the process, in a process group of its own, and waits for its
// socket.
func (m *muxMaster) start(program string, args ...string) {
	m.w.t.Helper()
	m.w.needTerminals(args)
	errs, err := os.CreateTemp(m.w.home, "master")
	if err != nil {
		m.w.t.Fatal(err)
	}
	defer errs.Close()
	m.errs, m.ended = errs.Name(), make(chan struct{})
	args = append(append(m.w.pre[:len(m.w.pre):len(m.w.pre)], "-S", m.sock), append(args, m.host)...)
	m.cmd = exec.Command(program, args...)
	m.cmd.Env, m.cmd.Dir, m.cmd.Stderr = m.w.env, m.w.home, errs
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := m.cmd.Start(); err != nil {
		m.w.t.Fatal(err)
	}
	cmd, ended := m.cmd, m.ended
	go func() { // ends with the process
		cmd.Wait()
		close(ended)
	}()
	m.w.t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	eventually(m.w.t, "the master listens", func() bool {
		select {
		case <-ended:
			m.w.t.Fatalf("the master ended: %v\n%s", m.cmd.ProcessState, m.stderr())
		default:
		}
		_, err := os.Stat(m.sock)
		return err == nil
	})
}

func (m *muxMaster) stderr() string {
	text, _ := os.ReadFile(m.errs)
	return string(text)
}

// args returns the arguments of a client of this socket.
func (m *muxMaster) args(args ...string) []string { return append([]string{"-S", m.sock}, args...) }

// client prepares a client. args are options, the host and the command.
func (m *muxMaster) client(program string, args ...string) *exec.Cmd {
	return m.w.command(program, m.args(args...)...)
}

// run runs ours, on this host.
func (m *muxMaster) run(command string, options ...string) outcome {
	m.w.t.Helper()
	return m.w.run(m.client(gosshPath, append(options, m.host, command)...))
}

// control runs gossh -O.
func (m *muxMaster) control(what string, options ...string) outcome {
	m.w.t.Helper()
	return m.w.run(m.client(gosshPath, append(append([]string{"-O", what}, options...), m.host)...))
}

var runningLine = regexp.MustCompile(`^Master running \(pid=(\d+)\)\r\n`)

// pid returns the process of the master, 0 if there is none. A master that
// start did not start is killed at the end of the test.
func (m *muxMaster) pid() int {
	m.w.t.Helper()
	found := runningLine.FindStringSubmatch(m.control("check").stderr)
	if found == nil {
		return 0
	}
	pid, _ := strconv.Atoi(found[1])
	if m.cmd == nil {
		m.w.t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	}
	return pid
}

// awaitEnd waits until a process, which need not be a child, has ended.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
}

// persistent returns a control path for which each client may make a master
// that persists.
func (w *world) persistent(host, persist string) *muxMaster {
	w.t.Helper()
	m := &muxMaster{w: w, sock: w.socket(), host: host}
	w.pre = append(w.pre[:len(w.pre):len(w.pre)], "-o", "ControlMaster=auto", "-o", "ControlPersist="+persist)
	return m
}

// pairs runs a test with each of the programs as master and as client.
func pairs(t *testing.T, test func(t *testing.T, master, client string)) {
	for _, master := range []string{"ssh", gosshPath} {
		for _, client := range []string{"ssh", gosshPath} {
			t.Run(filepath.Base(master)+" "+filepath.Base(client), func(t *testing.T) {
				t.Parallel()
				test(t, master, client)
			})
		}
	}
}

// muxRun runs the operations of one row and records their outcome.
type muxRun struct {
	*muxMaster
	client string
	target string // host:port of somebody who says hello
	log    strings.Builder
}

// do runs the client and records everything.
func (r *muxRun) do(args ...string) outcome {
	r.w.t.Helper()
	return r.feed("", args...)
}

func (r *muxRun) feed(stdin string, args ...string) outcome {
	r.w.t.Helper()
	cmd := r.muxMaster.client(r.client, args...)
	cmd.Stdin = strings.NewReader(stdin)
	o := r.w.run(cmd)
	r.note("%s: status %d\n", strings.Join(args, " "), o.status)
	r.note("%s", prefixed("out| ", o.stdout)+prefixed("err| ", o.stderr))
	return o
}

// prefixed marks each line, carriage returns, and a last line without a
// newline.
func prefixed(mark, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "%s%s\n", mark, strings.Trim(strconv.Quote(line), `"`))
	}
	return b.String()
}

var anyPID = regexp.MustCompile(`pid=\d+`)

func (r *muxRun) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, part := range []struct{ from, to string }{
		{filepath.Dir(r.sock), "DIR"}, {"gossh: ", "ssh: "}, {r.w.home, "HOME"}, {r.target, "TARGET"},
	} {
		text = strings.ReplaceAll(text, part.from, part.to)
	}
	r.log.WriteString(anyPID.ReplaceAllString(text, "pid=N"))
}

// muxServer returns a world with a server for tests of shared connections.
func muxServer(t *testing.T, extra string) *world {
	return withSSHD(t, opensshd.Options{Extra: "AcceptEnv FOO FEE BAR MASTER\nMaxSessions 100\n" + extra})
}

// openFiles returns the open files of a process by their descriptors.
func openFiles(t *testing.T, pid int) map[int]string {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[int]string)
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		all[fd], _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	}
	return all
}

// muxResident returns the resident memory of a process in KiB.
func muxResident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	n, _ := strconv.Atoi(string(bytes.Fields(rest)[0]))
	return n
}

// lineOf returns a shell command that runs a program.
func (w *world) lineOf(program string, args ...string) string {
	return strings.Replace(w.line(args...), gosshPath, program, 1)
}

func withInput(cmd *exec.Cmd, text string) *exec.Cmd {
	cmd.Stdin = strings.NewReader(text)
	return cmd
}
