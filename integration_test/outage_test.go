//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestOutageTerminalClosed: a program that waits ends with its terminal.
func TestOutageTerminalClosed(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *screen){
		"closed": func(s *screen) { s.pts.Close(); s.ptm.Close() },
		"SIGHUP": func(s *screen) { s.cmd.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := withRestarts(t, sshtest.Options{})
			s := w.onScreen(w.gossh(append(slowly, "sshtest")...))
			s.resize(120, 24)
			s.expect(`session 1`)
			r.down()
			s.expect(lostLine)
			s.untilModes("waiting for a key", keywise)
			end(s)
			if status := s.wait(); status != 255 {
				t.Errorf("status %d", status)
			}
		})
	}
}

// TestOutageNames: without a network no name server answers, and the name that
// the last connection was made to has no address. That passes.
func TestOutageNames(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "mount")
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("cannot make a mount namespace: %s", out)
	}
	w, r := withRestarts(t, sshtest.Options{})
	const known = "127.0.0.1 name.invalid\n"
	hosts := w.write("hosts", known)
	w.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	line := w.line(append([]string{"-N", "-o", "HostName=name.invalid"}, append(steadily, "sshtest")...)...)
	cmd, log := w.started(w.tool("unshare", "-m", "sh", "-c",
		"mount --bind "+hosts+" /etc/hosts && mount --bind "+w.path("resolv.conf")+" /etc/resolv.conf && exec "+line))
	eventually(t, "it is connected", func() bool { return len(r.current().Conns()) == 1 })
	os.Truncate(hosts, 0)
	r.down()
	log.expect(` lost after `)
	for range 2 {
		log.expect(`Attempt \d+ to connect to name\.invalid again has failed: could not resolve hostname name\.invalid: .*\. Attempt \d+ in 1s\.`)
	}
	r.up(r.same)
	f, err := os.OpenFile(hosts, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, known)
	f.Close()
	log.expect(`re-established`)
	cmd.Process.Signal(syscall.SIGINT)
	if status := log.wait(cmd); status != 255 {
		t.Errorf("status %d", status)
	}
}

// TestOutageHeldPort: the process of sshd that has the lost connection hangs, and
// its port with it. That forward alone waits until the process is gone.
func TestOutageHeldPort(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	held, local := closedPort(t), closedPort(t)
	cmd, log := w.service(append([]string{"-N", "-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=1",
		"-L", fmt.Sprintf("%d:127.0.0.1:%d", local, echoes(t)), "-R", fmt.Sprintf("%d:127.0.0.1:%d", held, echoes(t))}, append(steadily, "sshd")...)...)
	for _, port := range []int{local, held} {
		eventually(t, "the forward works", func() bool { return answers(port) })
	}
	hung := childrenOf(w.srv.PID)
	for _, pid := range hung {
		stopTree(pid)
	}
	log.expect(`lost after [\d.ms]+: server not responding for [\d.]+s\. Attempt 1 in [\d.]+m?s\.`)
	log.expect(`re-established`)
	log.expect(fmt.Sprintf(`Warning: remote forwarding of %d is not possible yet: refused by the server\. It will be tried again\.`, held))
	eventually(t, "the other is back", func() bool { return answers(local) })
	for _, pid := range hung {
		for _, child := range append(childrenOf(pid), pid) {
			syscall.Kill(child, syscall.SIGKILL)
		}
	}
	log.expect(fmt.Sprintf(`Remote forwarding of %d is back at attempt \d+\.`, held))
	eventually(t, "it is", func() bool { return answers(held) })
	cmd.Process.Signal(syscall.SIGINT)
	if status := log.wait(cmd); status != 255 || strings.Count(log.text(), " lost after ") != 1 {
		t.Errorf("status %d, %s", status, log.text())
	}
}

// TestOutageUnanswered: a server that hangs up at a question without an answer
// is tried again.
func TestOutageUnanswered(t *testing.T) {
	t.Parallel()
	w, r := withRestarts(t, sshtest.Options{})
	users := r.opts.Users
	s := w.onScreen(w.gossh(append(steadily, "sshtest")...))
	s.resize(120, 24)
	s.expect(`session 1`)
	r.down()
	r.up(func(o *sshtest.Options) { o.Users = []sshtest.User{{Name: sshtest.DefaultUser, Password: "sesame"}} })
	s.expect(`test@sshtest's password: `)
	s.untilModes("without echo", noEcho)
	r.down()
	r.up(func(o *sshtest.Options) { o.Users = users })
	s.send("whatever\r")
	s.expect(`attempt \d+ in [01] s`)
	s.expect(`This is a new shell\.`)
	s.expect(`session 2`)
	s.untilModes("raw", isRaw)
	s.send("exit 0\r")
	s.wantEnd(0)
}

// TestOutageCommandLine: a forward that waits for its port can be cancelled by
// ~C, and one that ~C asks for in vain is not tried again.
func TestOutageCommandLine(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	var asked atomic.Int32
	w, r := withRestarts(t, sshtest.Options{OnRequest: func(rec sshtest.Record) sshtest.Reaction {
		if rec.Type == "tcpip-forward" && refuse.Load() {
			asked.Add(1)
			return sshtest.Reaction{Verdict: sshtest.Refuse}
		}
		return sshtest.Reaction{}
	}})
	ask := func(s *screen, line, answer string) {
		t.Helper()
		s.send("\r")
		s.expect(`got ""`)
		s.send("~C")
		s.expect(`ssh> $`)
		s.send(line + "\r")
		s.expect(answer)
		s.untilModes("raw", isRaw)
	}
	held, other := closedPort(t), closedPort(t)
	s := w.onScreen(w.gossh(append(steadily, "-o", commandLine, "-R", fmt.Sprintf("%d:localhost:1", held), "-R", "0:localhost:1", "sshtest")...))
	s.resize(120, 24)
	chosen := s.expect(`Allocated port (\d+) for remote forward`)
	s.expect(`session 1`)
	refuse.Store(true)
	r.down()
	r.up(r.same)
	eventually(t, "there is a session, and both forwards wait", func() bool {
		waits := " is not possible yet: refused by the server. It will be tried again."
		return strings.Contains(s.text(), fmt.Sprint("remote forwarding of ", held, waits)) &&
			strings.Contains(s.text(), fmt.Sprint("remote forwarding of ", chosen, waits)) && strings.Contains(s.text(), "session 2")
	})
	s.untilModes("raw", isRaw)
	ask(s, fmt.Sprintf("-KR%d", held), `Canceled forwarding\.`)
	ask(s, fmt.Sprintf("-KR%d", held), `Unknown port forwarding\.`)
	ask(s, "-KR"+chosen, `Canceled forwarding\.`)
	ask(s, fmt.Sprintf("-R%d:localhost:1", other), `Port forwarding failed\.`)
	ask(s, fmt.Sprintf("-KR%d", other), `Unknown port forwarding\.`)
	before := asked.Load()
	refuse.Store(false)
	r.down()
	r.up(r.same)
	s.expect(`session 3`)
	s.untilModes("raw", isRaw)
	ask(s, fmt.Sprintf("-KR%d", held), `Unknown port forwarding\.`)
	if asked.Load() != before || strings.Contains(s.text(), "is back at attempt") {
		t.Errorf("%d were tried again: %s", asked.Load()-before, s.text())
	}
	s.send("exit 0\r")
	s.wantEnd(0)
}
