//go:build unix

package opensshd

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// socketPair returns a connection and the file of its other end.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "socketpair"), os.NewFile(uintptr(fds[1]), "socketpair")
	nc, err := net.FileConn(ours) // a duplicate
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return nc, theirs, nil
}

// NeedTerminals skips a test that needs a pseudo-terminal from sshd if sshd
// cannot provide one. Unless it runs as root, it requires terminals of group
// tty, which devpts gives only if it is mounted with gid=5. No package changes
// that, so the test is skipped in CI, too.
func NeedTerminals(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() == 0 {
		return
	}
	tty, err := user.LookupGroup("tty")
	if err != nil {
		return // then the user's own group will do
	}
	ptm, pts, err := pty.Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer ptm.Close()
	defer pts.Close()
	info, err := pts.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); strconv.Itoa(int(st.Gid)) != tty.Gid {
		tb.Skipf("SKIPPED: terminals are of group %d here and not of tty, so an sshd that is not root's can give none", st.Gid)
	}
}

// killTree kills a process and its descendants. sshd gives each connection, and
// each session, its own process group.
//
// A command whose connection was lost has another parent. It is recognised by
// its SSH_CONNECTION, where /proc has environments.
func killTree(pid, port int) {
	children := processChildren()
	tree := append([]int{pid}, orphans(port)...)
	for i := 0; i < len(tree); i++ {
		// A stopped process cannot start children meanwhile.
		syscall.Kill(tree[i], syscall.SIGSTOP)
		tree = append(tree, children[tree[i]]...)
	}
	for _, p := range tree {
		syscall.Kill(p, syscall.SIGKILL)
	}
}

// orphans returns the processes of sessions that came to port. It returns none
// without /proc, or if port is zero.
func orphans(port int) []int {
	if port == 0 {
		return nil
	}
	var pids []int
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		b, _ := os.ReadFile(path) // those of other users cannot be read
		for v := range strings.SplitSeq(string(b), "\x00") {
			if strings.HasPrefix(v, "SSH_CONNECTION=") && strings.HasSuffix(v, " 127.0.0.1 "+strconv.Itoa(port)) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// processChildren returns the children of each process, from /proc or ps.
func processChildren() map[int][]int {
	children := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state ppid ...; the name may hold anything.
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
		if fields := strings.Fields(rest); len(fields) > 1 {
			if ppid, err := strconv.Atoi(fields[1]); err == nil {
				children[ppid] = append(children[ppid], pid)
			}
		}
	}
	if len(stats) > 0 {
		return children
	}
	out, _ := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 {
			pid, _ := strconv.Atoi(f[0])
			ppid, _ := strconv.Atoi(f[1])
			children[ppid] = append(children[ppid], pid)
		}
	}
	return children
}
