//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// ordinary returns a command that runs a program without the rights by which
// root ignores permissions. For an ordinary user it is the program itself.
func (w *world) ordinary(program string) string {
	w.t.Helper()
	if os.Geteuid() != 0 {
		return program
	}
	need(w.t, "setpriv")
	path, err := exec.LookPath(program)
	if err != nil {
		w.t.Fatal(err)
	}
	const rights = "-dac_override,-dac_read_search,-net_bind_service"
	drop := []string{"setpriv", "--inh-caps=" + rights, "--bounding-set=" + rights, "--"}
	if out, err := exec.Command(drop[0], append(drop[1:], "true")...).CombinedOutput(); err != nil {
		w.t.Skipf("root cannot give up rights here: %v: %s", err, out)
	}
	return w.script("ordinary-"+filepath.Base(program), "exec "+strings.Join(drop, " ")+" '"+path+"' \"$@\"")
}

// asOrdinary compares the messages of the two programs for an ordinary user.
func (w *world) asOrdinary(what string, args ...string) {
	w.t.Helper()
	got := w.run(w.command(w.ordinary(gosshPath), args...))
	want := w.run(w.command(w.ordinary("ssh"), args...))
	got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
	compare(w.t, what, got, want)
}

// privilegedPort returns a port that an ordinary user may not listen on.
func privilegedPort(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if first < 2 {
		t.Skip("this machine lets everybody listen on all ports")
	}
	return strconv.Itoa(min(first, 1024) - 1)
}

// withOwnSSHD returns a world in which each client starts its own sshd, with
// the client's rights.
func withOwnSSHD(t *testing.T) *world {
	t.Helper()
	need(t, "ssh")
	w := newWorld(t)
	w.srv = opensshd.Prepare(t, &opensshd.Options{Extra: "SetEnv HOME=" + w.home + "\n"})
	w.cfg = w.srv.Config
	w.pre = []string{"-F", w.cfg}
	return w
}

// TestPrivilegedPorts: ports, and folders for sockets, that are for root alone.
func TestPrivilegedPorts(t *testing.T) {
	t.Parallel()
	port := privilegedPort(t)
	w := withOwnSSHD(t)
	closed := filepath.Join(w.folder("closed", 0o500), "socket")
	taken := filepath.Join(w.folder("taken", 0o700), "socket")
	ln, err := net.Listen("unix", taken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if err := os.Chmod(filepath.Dir(taken), 0o500); err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer("PORT", port, "CLOSED", closed, "TAKEN", taken).Replace
	for _, line := range []string{
		"-L PORT:a:1 sshd true",
		"-L 127.0.0.1:PORT:a:1 sshd true",
		"-L *:PORT:a:1 sshd true",
		"-g -L PORT:a:1 sshd true",
		"-L PORT:a:1 -o ExitOnForwardFailure=yes sshd true",
		"-D PORT sshd true",
		"-D 127.0.0.1:PORT -o ExitOnForwardFailure=yes sshd true",
		"-R PORT:a:1 sshd true",
		"-R 127.0.0.1:PORT:a:1 -o ExitOnForwardFailure=yes sshd true",
		"-R PORT sshd true",
		"-L CLOSED:a:1 sshd true",
		"-R CLOSED:a:1 sshd true",
		"-L TAKEN:a:1 sshd true",
		"-L TAKEN:a:1 -o StreamLocalBindUnlink=yes sshd true",
		"-L CLOSED:a:1 -o StreamLocalBindUnlink=yes sshd true",
	} {
		w.asOrdinary(line, strings.Fields(replace(line))...)
	}
	o := w.run(w.command(w.ordinary(gosshPath), "-L", "127.0.0.1:"+port+":a:1", "sshd", "true"))
	o.want(t, 0, "", new(fmt.Sprintf("bind [127.0.0.1]:%[1]s: Permission denied\r\n"+
		"channel_setup_fwd_listener_tcpip: cannot listen to port: %[1]s\r\nCould not request local forwarding.\r\n", port)))
}

// TestMuxPrivilegedPorts: the same where a master is asked.
func TestMuxPrivilegedPorts(t *testing.T) {
	t.Parallel()
	port := privilegedPort(t)
	w := withOwnSSHD(t)
	closed := filepath.Join(w.folder("closed", 0o500), "socket")
	said := func(program string) []outcome {
		m := w.master(w.ordinary(program))
		var all []outcome
		for _, forward := range [][]string{{"-L", port + ":a:1"}, {"-D", port}, {"-R", port + ":a:1"}, {"-L", closed + ":a:1"}, {"-R", closed + ":a:1"}} {
			all = append(all,
				w.run(m.client(w.ordinary(program), append([]string{"-O", "forward"}, append(forward, "sshd")...)...)),
				w.run(m.client(w.ordinary(program), append(forward, "sshd", "true")...)))
		}
		return all
	}
	got, want := said(gosshPath), said("ssh")
	for i := range want {
		compare(t, fmt.Sprint("forward ", i), got[i], want[i])
	}
}

// folder makes a folder below home; it can be removed at the end whatever its
// permissions are.
func (w *world) folder(name string, mode os.FileMode) string {
	w.t.Helper()
	path := w.path(name)
	if err := os.Mkdir(path, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.Chmod(path, 0o700) })
	return path
}

// closedFile makes a file that an ordinary user may not read.
func (w *world) closedFile(name string) string {
	w.t.Helper()
	path := w.write(name, "")
	if err := os.Chmod(path, 0); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// TestUnreadable: files and folders that are there and not for us.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	w := withOwnSSHD(t)
	hosts, hosts2, config := w.closedFile("hosts"), w.closedFile("hosts2"), w.closedFile("closed_config")
	dir := w.folder("dir", 0)
	readOnly := w.folder("read-only", 0o500)
	include := w.write("includes", "Include "+config+"\nInclude "+w.cfg+"\n")
	named := func(files ...string) string { return "UserKnownHostsFile=" + strings.Join(files, " ") }
	for what, args := range map[string][]string{
		"known_hosts":                {"-o", named(hosts, hosts2), "-o", "StrictHostKeyChecking=ask"},
		"known_hosts, the second":    {"-o", named(w.path("none"), hosts2, hosts), "-o", "StrictHostKeyChecking=ask"},
		"known_hosts, system-wide":   {"-o", named(w.path("none")), "-o", "GlobalKnownHostsFile=" + hosts, "-o", "StrictHostKeyChecking=ask"},
		"known_hosts below a file":   {"-o", named(w.cfg + "/x"), "-o", "StrictHostKeyChecking=ask"},
		"known_hosts is a folder":    {"-o", named(readOnly), "-o", "StrictHostKeyChecking=ask"},
		"known_hosts, strict":        {"-o", named(hosts)},
		"known_hosts, not strict":    {"-o", named(hosts), "-o", "StrictHostKeyChecking=no"},
		"known_hosts, accept-new":    {"-o", named(hosts), "-o", "StrictHostKeyChecking=accept-new"},
		"known_hosts, one is enough": {"-o", named(hosts, w.srv.KnownHosts)},
		"known_hosts in a folder":    {"-o", named(filepath.Join(dir, "x")), "-o", "StrictHostKeyChecking=accept-new"},
		"a folder to make":           {"-o", named(filepath.Join(readOnly, "x")), "-o", "StrictHostKeyChecking=accept-new"},
		"key":                        {"-i", hosts},
		"key in a folder":            {"-i", filepath.Join(dir, "x")},
		"key in a folder, by option": {"-o", "IdentityFile=" + filepath.Join(dir, "x")},
		"key that is not there":      {"-o", "IdentityFile=" + w.path("none")},
		"certificate in a folder":    {"-o", "CertificateFile=" + filepath.Join(dir, "x")},
		"configuration":              {"-F", config},
		"configuration, included":    {"-F", include},
		"configuration in a folder":  {"-F", filepath.Join(dir, "x")},
		"log in a folder":            {"-E", filepath.Join(dir, "x")},
		"socket of a master":         {"-S", filepath.Join(dir, "x")},
		"socket to ask":              {"-S", filepath.Join(dir, "x"), "-O", "check"},
	} {
		t.Run(what, func(t *testing.T) {
			w.at(t).asOrdinary(what, append(args, "sshd", "true")...)
		})
	}
}

// hangsUp returns a socket that closes every connection at once, as an agent
// or a master does for another user.
func (w *world) hangsUp() string {
	w.t.Helper()
	ln, err := net.Listen("unix", w.socket())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return ln.Addr().String()
}

// TestAgentHangsUp: such an agent is none.
func TestAgentHangsUp(t *testing.T) {
	t.Parallel()
	need(t, "ssh-add")
	w := withSSHD(t, opensshd.Options{})
	agent := w.hangsUp()
	for _, args := range [][]string{{"sshd", "true"}, {"-A", "sshd", "ssh-add -l >/dev/null 2>&1; echo $SSH_AUTH_SOCK | wc -l"}} {
		args = append([]string{"-o", "IdentityAgent=" + agent}, args...)
		got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
		compare(t, fmt.Sprint(args), got, want)
	}
}

// TestMasterHangsUp: without such a master a connection of one's own does.
func TestMasterHangsUp(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	m := &muxMaster{w: w, sock: w.hangsUp(), host: "sshd"}
	m.control("check").want(t, 255, "", said("muxclient: master hello exchange failed\r\n"))
	m.run("echo in").want(t, 0, "in\n", silent())
}
