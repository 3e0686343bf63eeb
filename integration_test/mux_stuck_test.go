//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gossh-project/gossh/sshtest/faultnet"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestMuxStoppedClient: one that is stopped with its output full holds up
// nobody else.
func TestMuxStoppedClient(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.master(gosshPath)
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := m.client(gosshPath, "sshd", "yes")
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	readLine(t, r)
	cmd.Process.Signal(syscall.SIGSTOP)
	data, _ := io.ReadAll(noise(8 << 20))
	for range 2 {
		o := w.run(withInput(m.client(gosshPath, "sshd", "cat"), string(data)))
		if o.status != 0 || !bytes.Equal([]byte(o.stdout), data) {
			t.Errorf("status %d, %d bytes, stderr %q", o.status, len(o.stdout), o.stderr)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "its session ends", func() bool { return !strings.Contains(m.control("channels").stdout, "session") })
}

// impatient bounds the wait for a master that does not answer. It also bounds
// the connection that is made then, which has to succeed on a busy machine.
const impatient = "ConnectTimeout=5"

// TestMuxStoppedMaster: a master that does not answer is named, and done
// without. Its socket stays: it may go on.
func TestMuxStoppedMaster(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.master(gosshPath)
	m.cmd.Process.Signal(syscall.SIGSTOP)
	o := m.run("echo alone", "-o", impatient)
	if want := "Control socket " + m.sock + ": the master does not answer; connecting without it\r\n"; o.status != 0 || o.stdout != "alone\n" || o.stderr != want {
		t.Errorf("%v, want %q", o, want)
	}
	o = m.control("check", "-o", impatient)
	if o.status != 255 || o.stderr != "Control socket connect("+m.sock+"): the master does not answer\r\n" {
		t.Errorf("check: %v", o)
	}
	m.cmd.Process.Signal(syscall.SIGCONT)
	m.run("echo shared").want(t, 0, "shared\n", silent())
}

// TestMuxSilentServer: a master whose server has gone silent gives no session,
// and the client connects by itself where it can.
func TestMuxSilentServer(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	link := linkTo(t, w.srv.Addr)
	m := w.master(gosshPath, "-p", fmt.Sprint(link.Port()), "-o", "ServerAliveInterval=0")
	link.Stall(faultnet.Both)
	for _, flags := range [][]string{{"-T"}, {"-R", "0:x:1"}} {
		o := m.run("echo alone", append(flags, "-o", impatient)...)
		if o.status != 0 || o.stdout != "alone\n" || o.stderr == "" {
			t.Errorf("%q: %v", flags, o)
		}
	}
}

// TestMuxPath: what is at the path is replaced only if it is a socket that
// nobody listens on.
func TestMuxPath(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	in := func(o outcome) { t.Helper(); o.want(t, 0, "in\n", nil) }
	auto := []string{"-o", "ControlMaster=auto", "-o", "ControlPersist=30"}

	m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	m.start(gosshPath, "-M", "-N")
	m.cmd.Process.Kill()
	<-m.ended
	m.control("check").want(t, 255, "", said("Control socket connect("+m.sock+"): Connection refused\r\n"))
	m.run("echo in").want(t, 0, "in\n", said("Control socket connect("+m.sock+"): Connection refused\r\n"))
	if _, err := os.Stat(m.sock); err != nil {
		t.Error("a client that makes no master has taken the socket away")
	}
	m.run("echo in", auto...).want(t, 0, "in\n", silent())
	if m.pid() == 0 {
		t.Error("the stale socket was not replaced")
	}
	m.control("exit")

	file := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	os.WriteFile(file.sock, []byte("precious"), 0o600)
	in(file.run("echo in", auto...))
	if text, _ := os.ReadFile(file.sock); string(text) != "precious" {
		t.Errorf("the file has %q", text)
	}

	link := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	for _, target := range []string{"nowhere", file.sock} {
		os.Remove(link.sock)
		os.Symlink(target, link.sock)
		in(link.run("echo in", auto...))
		if now, _ := os.Readlink(link.sock); now != target {
			t.Errorf("the symlink to %s is %q", target, now)
		}
		if _, err := os.Stat(link.sock + "/../nowhere"); err == nil {
			t.Error("something was made where the symlink points")
		}
	}

	// A socket that takes and says nothing is not stale.
	mute := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	ln, err := net.Listen("unix", mute.sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	in(mute.run("echo in", append(auto, "-o", impatient)...))
	if _, err := os.Stat(mute.sock); err != nil {
		t.Error("a living socket was taken away")
	}
}

func said(text string) *string { return &text }

// TestMuxMaxSessions: whom the connection has no room for connects by himself.
func TestMuxMaxSessions(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: "MaxSessions 1\n"})
	m := w.master(gosshPath)
	first := m.client(gosshPath, "sshd", "echo up; exec cat")
	in, _ := first.StdinPipe()
	out, _ := first.StdoutPipe()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	readLine(t, out)
	for _, client := range []string{gosshPath, "ssh"} {
		for _, way := range []string{"no", "auto"} {
			o := w.run(m.client(client, "-o", "ControlMaster="+way, "sshd", "echo alone"))
			want := "mux_client_request_session: session request failed: Session open refused by peer\r\n"
			if way == "auto" {
				want += "ControlSocket " + m.sock + " already exists, disabling multiplexing\r\n"
			}
			o.want(t, 0, "alone\n", &want)
		}
	}
	in.Close()
	first.Wait()
	m.run("echo shared").want(t, 0, "shared\n", silent())
}

// TestMuxMany: fifty sessions at once, two hundred one after the other, and
// nothing is left behind in the master.
func TestMuxMany(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.master(gosshPath)
	pid := m.cmd.Process.Pid
	burst := func(n, lanes int) {
		t.Helper()
		numbers := make(chan int)
		var all sync.WaitGroup
		for range lanes {
			all.Go(func() { // ends with the numbers
				for i := range numbers {
					text := fmt.Sprintf("%d\n", i)
					o := w.run(withInput(m.client(gosshPath, "sshd", "read x; echo $x; exit 2"), text))
					o.want(t, 2, text, silent())
				}
			})
		}
		for i := range n {
			numbers <- i
		}
		close(numbers)
		all.Wait()
	}
	settled := func() (fds, kib int) {
		eventually(t, "no session is left", func() bool { return !strings.Contains(m.control("channels").stdout, "session") })
		fds = 1 << 20
		// The control client of the question may still be there.
		eventually(t, "the descriptors are given back", func() bool {
			n := len(openFiles(t, pid))
			same := n == fds
			fds = n
			return same
		})
		if !raceEnabled {
			eventually(t, "the memory of the sessions is given back", func() bool { return muxResident(t, pid) <= 16<<10 })
		}
		return fds, muxResident(t, pid)
	}
	burst(50, 50)
	fds, kib := settled()
	n := 200
	if testing.Short() {
		n = 50
	}
	burst(n, 4)
	laterFDs, laterKiB := settled()
	eventually(t, fmt.Sprintf("%d descriptors, as before %d sessions more", fds, n), func() bool {
		laterFDs = len(openFiles(t, pid))
		return laterFDs <= fds
	})
	// A leaked session is about 100 KiB.
	if !raceEnabled {
		eventually(t, fmt.Sprintf("about %d KiB, as before %d sessions more", kib, n), func() bool {
			laterKiB = muxResident(t, pid)
			return laterKiB <= kib+2<<10
		})
	}
	t.Logf("%d descriptors, %d KiB, then %d, %d KiB", fds, kib, laterFDs, laterKiB)
}
