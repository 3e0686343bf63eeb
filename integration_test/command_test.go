//go:build linux

package integration_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	for _, status := range []int{0, 1, 2, 127, 254, 255} {
		w.run(w.gossh("sshd", fmt.Sprintf("exit %d", status))).want(t, status, "", silent())
	}
	for _, args := range [][]string{
		{"sshd", "kill -TERM $$"},
		{"sshd", "kill -KILL $$"},
		{"sshd", "no-such-command-here 2>/dev/null"},
		{"sshd", "echo", "two  words", "and", "'a quote'"},
		{"sshd", "-n", "--", "cat"},
		{"-T", "sshd", "tty"},
		{"-s", "sshd", "no-such-subsystem"},
	} {
		w.likeSSH(t, args)
	}
}

func TestStreamsApart(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	cmd := w.gossh("sshd", "tee /dev/stderr")
	cmd.Stdin = bytes.NewReader(all)
	text := string(all)
	w.run(cmd).want(t, 0, text, &text)
}

// countedSum returns the SHA-256 checksum of what it reads.
func countedSum(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// noise returns a reader of n bytes that look random and are the same each
// time.
func noise(n int64) io.Reader {
	return io.LimitReader(&noiseReader{state: 88172645463325252}, n)
}

type noiseReader struct{ state uint64 }

func (r *noiseReader) Read(p []byte) (int, error) {
	x := r.state
	for i := range p {
		if i%8 == 0 { // xorshift64
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		p[i] = byte(x >> (8 * (i % 8)))
	}
	r.state = x
	return len(p), nil
}

// bulk returns the size of a bulk transfer.
func bulk() int64 {
	if testing.Short() || raceEnabled {
		return 64 << 20
	}
	return 1 << 30
}

func TestBulk(t *testing.T) {
	t.Parallel()
	need(t, "sha256sum")
	w := withSSHD(t, opensshd.Options{})
	size := bulk()
	want := countedSum(t, noise(size))

	up := w.gossh("sshd", "sha256sum")
	up.Stdin = noise(size)
	o := w.run(up)
	o.want(t, 0, want+"  -\n", silent())
	t.Logf("%d MiB up in %v", size>>20, o.took)

	// Down and up at once: each direction has to go on while the other is
	// full.
	both := w.gossh("sshd", "cat")
	both.Stdin = noise(size)
	h := sha256.New()
	both.Stdout = h
	o = w.run(both)
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want || o.status != 0 {
		t.Errorf("got %s, want %s: %v", got, want, o)
	}
	t.Logf("%d MiB both ways in %v", size>>20, o.took)
}

func TestInput(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	t.Run("end of file", func(t *testing.T) {
		cmd := w.gossh("sshd", "cat; echo end")
		cmd.Stdin = strings.NewReader("text")
		w.run(cmd).want(t, 0, "textend\n", silent())
	})
	t.Run("-n", func(t *testing.T) {
		// The next reader has to find all of its input.
		o := w.run(w.tool("sh", "-c", w.line("-n", "sshd", "cat")+"; read line; echo \"left: $line\"", "sh"))
		o.want(t, 0, "left: \n", silent())
		cmd := w.tool("sh", "-c", w.line("-n", "sshd", "cat")+"; cat")
		cmd.Stdin = strings.NewReader("untouched")
		w.run(cmd).want(t, 0, "untouched", silent())
	})
	t.Run("closed", func(t *testing.T) {
		w.run(w.tool("sh", "-c", w.line("sshd", "cat; echo end")+" <&-")).want(t, 0, "end\n", silent())
	})
	t.Run("not read by the command", func(t *testing.T) {
		// The command ends while input still comes.
		cmd := w.gossh("sshd", "exit 7")
		r, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd.Stdin = r
		w.run(cmd).want(t, 7, "", silent())
		r.Close()
	})
	t.Run("directory", func(t *testing.T) {
		// A read that fails is the end of the input.
		dir, err := os.Open(w.home)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		cmd := w.gossh("sshd", "cat; echo end")
		cmd.Stdin = dir
		w.run(cmd).want(t, 0, "end\n", nil)
	})
}

// TestOutputReaderLeaves: the remote program ends when the reader of the output has gone.
func TestOutputReaderLeaves(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	pidFile := w.path("yes.pid")
	o := w.run(w.tool("sh", "-c", w.line("sshd", "echo $$ >"+pidFile+"; exec yes")+" | head -1"))
	o.want(t, 0, "y\n", silent())
	var pid int
	fmt.Sscan(w.read("yes.pid"), &pid)
	eventually(t, "the remote yes ends", func() bool { return !alive(pid) })
}

// TestOutputClosed: closed standard descriptors do not change the exit status.
func TestOutputClosed(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	w.run(w.tool("sh", "-c", w.line("sshd", "echo lost; exit 3")+" >&-")).want(t, 3, "", nil)
	w.run(w.tool("sh", "-c", w.line("sshd", "exit 4")+" >&- 2>&- <&-")).want(t, 4, "", silent())
}

// TestOutputFull: output that a full disk does not take is a failure.
func TestOutputFull(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	ours, theirs := w.gossh("sshd", "echo lost; exit 5"), w.ssh("sshd", "echo lost; exit 5")
	ours.Stdout, theirs.Stdout = full, full
	got, want := w.run(ours), w.run(theirs)
	if got.status != want.status {
		t.Errorf("status %d, ssh's is %d: %v", got.status, want.status, got)
	}
	// ssh has 0 for this.
	lost := new("gossh: write: No space left on device\r\n")
	cmd := w.gossh("sshd", "echo lost")
	cmd.Stdout = full
	w.run(cmd).want(t, 255, "", lost)
	cmd = w.gossh("sshd", "echo lost >&2; echo out")
	cmd.Stderr = full
	w.run(cmd).want(t, 255, "out\n", silent())
}

// TestOutputFullOverMaster: a full disk of one client does not harm the master.
func TestOutputFullOverMaster(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	m := w.master(gosshPath)
	w.run(w.tool("sh", "-c", w.lineOf(gosshPath, m.args(m.host, "echo lost")...)+" >/dev/full")).
		want(t, 255, "", new("gossh: write: No space left on device\r\n"))
	w.run(w.tool("sh", "-c", w.lineOf(gosshPath, m.args(m.host, "echo lost >&2; echo out")...)+" 2>/dev/full")).
		want(t, 255, "out\n", silent())
	m.run("true").want(t, 0, "", silent())
}

// TestOutputReaderPauses: nothing is lost while the reader of the output pauses.
func TestOutputReaderPauses(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	const lines = 400_000
	cmd := w.gossh("sshd", fmt.Sprintf("seq %d", lines))
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The pipe is full, and the program waits in its write.
	eventually(t, "the pipe is full", func() bool {
		room := []unix.PollFd{{Fd: int32(out.Fd()), Events: unix.POLLOUT}}
		n, err := unix.Poll(room, 0)
		return err == nil && n == 0
	})
	out.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != lines {
		t.Errorf("%d lines, want %d", n, lines)
	}
}

// TestOutputStaysBlocking: the flags of the descriptors, which other processes share, stay as they were.
func TestOutputStaysBlocking(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer out.Close()
	cmd := w.gossh("sshd", "echo text")
	cmd.Stdout = out
	w.run(cmd)
	flags, err := unix.FcntlInt(out.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
}

// TestIdle: a session in which nothing happens costs nothing.
func TestIdle(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	span := 3 * time.Second
	if testing.Short() {
		span = time.Second
	}
	for _, stdin := range []string{"open pipe", "end of file", "terminal"} {
		cmd := w.gossh("sshd", "echo ready; exec sleep 100")
		if stdin == "terminal" {
			s := w.onScreen(w.gossh("-t", "-o", "ServerAliveInterval=1", "sshd", "echo ready; exec sleep 100"))
			s.expect(`ready\r\n`)
			idle(t, stdin, s.cmd.Process.Pid, span)
			continue
		}
		if stdin == "open pipe" {
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if got := readLine(t, out); got != "ready" {
			t.Fatalf("got %q", got)
		}
		idle(t, stdin, cmd.Process.Pid, span)
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 255 {
			t.Errorf("%s: status %d after SIGTERM", stdin, got)
		}
	}
}

// idle fails the test if the process uses a twentieth of the time or more.
func idle(t *testing.T, what string, pid int, span time.Duration) {
	t.Helper()
	before := cpuTime(t, pid)
	eventually(t, "the beginning is over", func() bool {
		time.Sleep(span / 10)
		last := before
		before = cpuTime(t, pid)
		return before == last
	})
	time.Sleep(span) // what is measured
	if used := cpuTime(t, pid) - before; used > span/20 {
		t.Errorf("%s: %v of processor time in %v", what, used, span)
	}
}

// cpuTime returns the CPU time that a process has used, from /proc/PID/stat.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system int64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * (time.Second / 100) // _SC_CLK_TCK
}
