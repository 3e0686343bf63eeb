//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gossh-project/gossh/sshtest"
)

// TestMuxPersist: the first client makes the master, and is the same to its
// caller as one without.
func TestMuxPersist(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("sshd", "yes")
	lock, err := os.Create(w.path("lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	// The shell waits for the end of the output, so a process that keeps the pipe
	// keeps the shell.
	script := "out=$(" + w.line(m.args("sshd", "echo out; echo err >&2; exit 3")...) + " 2>" + w.path("err") + "); echo status $? $out"
	cmd := w.tool("sh", "-c", script)
	cmd.ExtraFiles = []*os.File{lock}
	w.run(cmd).want(t, 0, "status 3 out\n", silent())
	if got := w.read("err"); got != "err\n" {
		t.Errorf("stderr %q", got)
	}
	pid := m.pid()
	if pid == 0 {
		t.Fatal("no master")
	}
	for fd, name := range openFiles(t, pid) {
		if fd < 3 && name != os.DevNull || name == lock.Name() {
			t.Errorf("the master has %s as descriptor %d", name, fd)
		}
	}
	if sid := sessionOf(pid); sid != pid {
		t.Errorf("session %d of process %d", sid, pid)
	}
	m.run("echo again").want(t, 0, "again\n", silent())
	if again := m.pid(); again != pid {
		t.Errorf("master %d, and then %d", pid, again)
	}
	m.control("exit").want(t, 0, "", nil)
	awaitEnd(t, pid)
}

// TestMuxPersistFailure: what fails has the same message and status with a
// master as without.
func TestMuxPersistFailure(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("sshd", "yes")
	port := fmt.Sprint(closedPort(t))
	for name, args := range map[string][]string{
		"refused":           {"-p", port, "sshd", "true"},
		"permission denied": {"-o", "PubkeyAuthentication=no", "sshd", "true"},
		"forward":           {"-o", "ExitOnForwardFailure=yes", "-L", fmt.Sprintf("127.0.0.1:%d:x:1", w.srv.Port), "sshd", "true"},
		"command":           {"-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo local", "sshd", "echo remote; exit 9"},
		"signal":            {"sshd", "kill -9 $$"},
		"subsystem":         {"-s", "sshd", "nosuch"},
	} {
		t.Run(name, func(t *testing.T) {
			shared, alone := w.run(m.client(gosshPath, args...)), w.run(w.gossh(append([]string{"-S", "none"}, args...)...))
			// A client does not know the number of the master's channel.
			shared.stderr = strings.Replace(shared.stderr, "request failed\r\n", "request failed on channel 0\r\n", 1)
			alone.stderr = strings.ReplaceAll(alone.stderr, "gossh: ", "ssh: ")
			compare(t, strings.Join(args, " "), shared, alone)
			if m.pid() != 0 {
				m.endMaster()
			}
		})
	}
}

// TestMuxPersistForward: the forwards of the first client remain with the
// master.
func TestMuxPersistForward(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("sshd", "yes")
	port := closedPort(t)
	m.run("true", "-L", fmt.Sprintf("127.0.0.1:%d:%s", port, greeter(t, "hello")))
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := readLine(t, c); got != "hello" {
		t.Errorf("got %q", got)
	}
	m.endMaster()
}

// TestMuxPersistNoCommand: the first client with -N leaves a master behind, and
// a later one stays until the master exits.
func TestMuxPersistNoCommand(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("sshd", "yes")
	w.run(m.client(gosshPath, "-N", "sshd")).want(t, 0, "", silent())
	pid := m.pid()
	cmd, log := w.started(m.client(gosshPath, "-v", "-N", "sshd"))
	log.expect(`connected to a master`)
	m.run("echo by the way").want(t, 0, "by the way\n", silent())
	m.control("exit")
	if status := log.wait(cmd); status != 255 {
		t.Errorf("-N ends with %d", status)
	}
	awaitEnd(t, pid)
}

// TestMuxPersistFork: clients with -f, the first of which makes the master.
func TestMuxPersistFork(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("sshd", "yes")
	for range 2 {
		o := w.run(w.tool("sh", "-c", "out=$("+w.line(m.args("-fN", "sshd")...)+" 2>&1); echo status $? $out"))
		o.want(t, 0, "status 0\n", silent())
		w.run(m.client(gosshPath, "-f", "sshd", "echo done >"+w.path("done"))).want(t, 0, "", silent())
		eventually(t, "the command in the background has run", func() bool { _, err := os.Stat(w.path("done")); return err == nil })
		os.Remove(w.path("done"))
	}
	m.endMaster()
	eventually(t, "no client remains in the background", func() bool { return len(w.background(m.sock)) == 0 })
}

// TestMuxPersistTime: the time begins anew with the end of each session, and
// does not pass during one.
func TestMuxPersistTime(t *testing.T) {
	t.Parallel()
	const persist = 2 * time.Second
	w := muxServer(t, "")
	m := w.persistent("sshd", fmt.Sprint(persist.Seconds()))
	var pid int
	var ended time.Time // the session before
	for i := range 3 {
		cmd := m.client(gosshPath, "sshd", "echo up; read x; exit 5")
		in, out := startPiped(t, cmd)
		readLine(t, out)
		now := m.pid()
		if now == 0 || i > 0 && now != pid && time.Since(ended) < persist {
			t.Fatalf("master %d, and then %d", pid, now)
		}
		pid = now
		time.Sleep(persist + persist/4) // what is measured
		if now := m.pid(); now != pid {
			t.Errorf("under a session master %d, and then %d", pid, now)
		}
		ended = time.Now()
		in.Close()
		if cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
			t.Errorf("session %d: %v", i, cmd.ProcessState)
		}
	}
	awaitEnd(t, pid)
	if took := time.Since(ended); took < persist {
		t.Errorf("the master stayed for %v", took)
	}
	if _, err := os.Stat(m.sock); err == nil {
		t.Error("the socket is left")
	}
}

// TestMuxPersistEdge: commands that come just as the time is up never fail, and
// never say anything.
func TestMuxPersistEdge(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a second for each try")
	}
	w := muxServer(t, "")
	var lanes sync.WaitGroup
	for lane := range 6 {
		m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
		lanes.Go(func() { // ends after its commands
			for i := range 6 {
				o := m.run("echo in", "-o", "ControlMaster=auto", "-o", "ControlPersist=1")
				o.want(t, 0, "in\n", silent())
				// On both sides of the edge, which moves with the load.
				time.Sleep(time.Second - 20*time.Millisecond + time.Duration(lane*6+i)*time.Millisecond)
			}
		})
	}
	lanes.Wait()
}

// TestMuxPersistTogether: of clients that start at once, one makes the master
// that remains, and all succeed.
func TestMuxPersistTogether(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	for range 3 {
		m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				o := m.run(fmt.Sprint("echo ", i), "-o", "ControlMaster=auto", "-o", "ControlPersist=30")
				o.want(t, 0, fmt.Sprintln(i), silent())
			})
		}
		all.Wait()
		pid := m.pid()
		eventually(t, "one process is left", func() bool {
			left := w.background(m.sock)
			return len(left) == 1 && left[0] == pid
		})
		m.control("exit")
		awaitEnd(t, pid)
	}
}

// muxAsking returns a world with a server that asks for a password, and a
// master that persists.
func muxAsking(t *testing.T) (*world, *muxMaster) {
	w, _ := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}}, Process: sshtest.Process{Shell: "/bin/sh"}})
	return w, w.persistent("sshtest", "yes")
}

// passwordPrompt is the question of the server of muxAsking.
const passwordPrompt = `test@127\.0\.0\.1's password: `

// TestMuxPersistPassword: the master asks its questions on the terminal of the
// first client, and outlives that terminal.
func TestMuxPersistPassword(t *testing.T) {
	t.Parallel()
	w, m := muxAsking(t)
	s := w.onScreen(w.tool("sh", "-c", w.line(m.args("sshtest", "echo $((6*7)); exit 5")...)+"; echo status $?; read line; echo got $line"))
	before := s.before
	s.expect(passwordPrompt)
	s.untilModes("without echo", noEcho)
	s.send("wrong\n")
	s.expect("Permission denied, please try again")
	s.expect(passwordPrompt)
	s.send("secret\n")
	s.expect(`42\r\nstatus 5\r\n`)
	s.send("line\n")
	s.expect(`got line`)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
	s.wantEnd(0)
	// The terminal has gone, the master has not.
	if pid := m.pid(); !alive(pid) {
		t.Error("the master went with the terminal")
	}
	m.run("echo still").want(t, 0, "still\n", silent())
	m.endMaster()
}

// TestMuxPersistInterrupted: Ctrl-C at a question of the master ends both
// processes.
func TestMuxPersistInterrupted(t *testing.T) {
	t.Parallel()
	w, m := muxAsking(t)
	s := w.onScreen(w.tool("bash", "--norc", "--noprofile", "--noediting", "-i"))
	s.expect(`local\$ `)
	before := s.modes()
	s.send(w.line(m.args("sshtest", "true")...) + "\n")
	s.expect(passwordPrompt)
	s.untilModes("without echo", noEcho)
	s.send("\x03")
	s.expect(`local\$ `)
	s.send("echo status $?\n")
	s.expect(`status 130\r\n`)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
	eventually(t, "no process is left", func() bool { return len(w.background(m.sock)) == 0 })
	s.send("exit\n")
	s.wait()
}

// TestMuxPersistKilled: a signal for the client at a question of the master
// ends both processes.
func TestMuxPersistKilled(t *testing.T) {
	t.Parallel()
	w, m := muxAsking(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			s := w.onScreen(m.client(gosshPath, "sshtest", "true"))
			before := s.before
			s.expect(passwordPrompt)
			s.untilModes("without echo", noEcho)
			s.cmd.Process.Signal(sig)
			s.wait()
			if st := s.cmd.ProcessState.Sys().(syscall.WaitStatus); st.Signal() != sig || s.modes() != before {
				t.Errorf("%v; modes %+v, before %+v", s.cmd.ProcessState, s.modes(), before)
			}
			eventually(t, "no process is left", func() bool { return len(w.background(m.sock)) == 0 })
		})
	}
}

// TestMuxPersistHangup: the master outlives the terminal of its first client.
func TestMuxPersistHangup(t *testing.T) {
	t.Parallel()
	w, m := muxAsking(t)
	s := w.onScreen(m.client(gosshPath, "-tt", "sshtest", "echo up; cat"))
	s.expect(passwordPrompt)
	s.send("secret\n")
	s.expect("up")
	s.untilModes("raw", isRaw)
	pid := m.pid()
	unix.Kill(s.cmd.Process.Pid, unix.SIGHUP) // as of a terminal that is gone
	s.pts.Close()
	s.wait()
	if !alive(pid) {
		t.Error("the master went with the terminal")
	}
	m.run("echo still").want(t, 0, "still\n", silent())
	m.endMaster()
}

// TestMuxOptions: what the command line says reaches the process of the master.
func TestMuxOptions(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.persistent("127.0.0.1", "yes")
	w.pre = append([]string{"-F", "none"}, w.pre[2:]...)
	key := w.path("moved")
	if err := exec.Command("cp", w.srv.ClientKey, key).Run(); err != nil {
		t.Fatal(err)
	}
	os.Chmod(key, 0o600)
	o := m.run("echo in", "-p", fmt.Sprint(w.srv.Port), "-l", w.srv.User, "-i", filepath.Base(key), "-o", "IdentitiesOnly=yes",
		"-o", "HostKeyAlias=sshd", "-o", "UserKnownHostsFile="+w.srv.KnownHosts, "-o", "BatchMode=yes")
	o.want(t, 0, "in\n", silent())
	if pid := m.pid(); pid == 0 {
		t.Error("no master")
	}
	m.control("exit")
}
