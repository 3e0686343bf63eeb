//go:build linux

package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMuxTerminalRefused: a client of a master reports a terminal that the
// server refuses, even if the program writes nothing.
func TestMuxTerminalRefused(t *testing.T) {
	t.Parallel()
	need(t, "ssh")
	compareRows(t, []muxRow{
		{name: "silent", do: func(r *muxRun) { r.do("-tt", "sshd", "true") }},
		{name: "not silent", do: func(r *muxRun) { r.do("-tt", "sshd", "echo out; exit 3") }},
		{name: "without", do: func(r *muxRun) { r.do("-T", "sshd", "echo out") }},
	}, func(t *testing.T, master, client string) *muxRun {
		w := muxServer(t, "PermitTTY no\n")
		return &muxRun{muxMaster: w.master(master), client: client}
	})
}

// TestMuxPersistVerbose: a master that stays in the background keeps nothing of
// its first client open, with -v and with a ProxyCommand too.
func TestMuxPersistVerbose(t *testing.T) {
	t.Parallel()
	need(t, "nc")
	w := muxServer(t, "")
	proxy := "ProxyCommand=nc -N 127.0.0.1 " + w.srv.Addr[strings.LastIndexByte(w.srv.Addr, ':')+1:]
	for _, flags := range [][]string{{"-v"}, {"-vvv"}, {"-v", "-o", proxy}, {"-o", proxy}} {
		m := w.at(t).persistent("sshd", "yes")
		// The shell waits until no process holds the pipe.
		script := "out=$(" + m.w.line(m.args(append(flags, "sshd", "true")...)...) + " 2>&1); echo status $?"
		w.run(w.tool("sh", "-c", script)).want(t, 0, "status 0\n", silent())
		pid := m.pid()
		if pid == 0 {
			t.Fatalf("%q: no master", flags)
		}
		m.control("exit")
		awaitEnd(t, pid)
	}
}

// TestMuxPersistAlone: with ControlPersist, -N makes the master and returns.
func TestMuxPersistAlone(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	target := greeter(t, "hello")
	m := w.persistent("sshd", "yes")
	listener := filepath.Join(filepath.Dir(m.sock), "l")
	w.run(m.client(gosshPath, "-N", "-L", listener+":"+target, "sshd")).want(t, 0, "", silent())
	pid := m.pid()
	if pid == 0 {
		t.Fatal("no master")
	}
	if _, err := os.Stat(listener); err != nil {
		t.Error(err)
	}
	m.run("echo shared").want(t, 0, "shared\n", silent())
	m.control("exit")
	awaitEnd(t, pid)
}

// TestMuxMasterStale: -M takes the place of a master that was killed, with and
// without ControlPersist, and of nothing else.
func TestMuxMasterStale(t *testing.T) {
	t.Parallel()
	w := muxServer(t, "")
	m := w.master(gosshPath)
	for _, flags := range [][]string{nil, {"-o", "ControlPersist=yes"}} {
		dead := m.pid()
		p, err := os.FindProcess(dead)
		if err != nil {
			t.Fatal(err)
		}
		p.Kill()
		awaitEnd(t, dead)
		if flags == nil {
			m.start(gosshPath, "-M", "-N")
		} else {
			w.run(m.client(gosshPath, append(flags, "-M", "sshd", "echo first")...)).want(t, 0, "first\n", silent())
		}
		eventually(t, "another master", func() bool { pid := m.pid(); return pid != 0 && pid != dead })
		m.run("echo shared").want(t, 0, "shared\n", silent())
	}
	w.run(m.client(gosshPath, "-M", "sshd", "echo alone")).want(t, 0, "alone\n",
		said("ControlSocket "+m.sock+" already exists, disabling multiplexing\r\n"))
	m.control("exit").want(t, 0, "", nil)
}

// TestMuxLongPath: any path that a client can connect to can be had.
func TestMuxLongPath(t *testing.T) {
	t.Parallel()
	need(t, "ssh")
	w := muxServer(t, "")
	m := &muxMaster{w: w, host: "sshd"}
	dir := filepath.Dir(w.socket())
	m.sock = filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
	m.start(gosshPath, "-M", "-N")
	for _, client := range []string{"ssh", gosshPath} {
		w.run(m.client(client, "sshd", "echo shared")).want(t, 0, "shared\n", silent())
	}
	m.control("exit").want(t, 0, "", nil)
	<-m.ended
	m.sock += "x"
	for _, what := range []string{"check", "exit"} {
		want := w.run(m.client("ssh", "-O", what, "sshd"))
		m.control(what).want(t, want.status, want.stdout, &want.stderr)
	}
}
