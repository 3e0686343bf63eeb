//go:build linux

package integration_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// needFUSE skips a test where the kernel has no FUSE or the user may not use
// it. No package changes that, so it is no failure in CI either.
func needFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine has no FUSE: %v", err)
	}
	f.Close()
	if os.Geteuid() != 0 {
		return // fusermount3 is set-uid
	}
	// Root in a container has the device and may not mount.
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("this machine does not let us mount: %v", err)
	}
	syscall.Unmount(dir, 0)
}

// TestProgramSSHFS mounts a folder, writes and reads through it.
func TestProgramSSHFS(t *testing.T) {
	need(t, "sshfs", "fusermount3", "diff")
	needFUSE(t)
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		dir := u.tree("tree")
		if err := os.Mkdir(u.path("mnt"), 0o755); err != nil {
			t.Fatal(err)
		}
		mounted := func() bool {
			table, _ := os.ReadFile("/proc/self/mountinfo")
			return strings.Contains(string(table), " "+u.path("mnt")+" ")
		}
		// In the foreground, so that its end can be waited for.
		fs := u.tool("sshfs", "-f", "sshd:"+dir, u.path("mnt"))
		var said strings.Builder
		fs.Stdout, fs.Stderr = &said, &said
		if err := fs.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- fs.Wait() }() // ends with the mount
		defer func() {
			if mounted() {
				exec.Command("fusermount3", "-u", "-z", u.path("mnt")).Run()
			}
			if err := <-ended; err != nil {
				t.Errorf("sshfs: %v\n%s", err, said.String())
			}
		}()
		eventually(t, "it is mounted", func() bool { return mounted() || len(ended) > 0 })
		if !mounted() {
			t.Fatalf("not mounted: %s", said.String())
		}
		u.same(dir, u.path("mnt"))
		u.sh("cp -r mnt/sub mnt/copy && mv mnt/copy mnt/moved && rm mnt/small && echo more >>mnt/empty")
		u.same(u.path("tree/sub"), u.path("tree/moved"))
		if _, err := os.Stat(u.path("tree/small")); err == nil || u.read("tree/empty") != "more\n" {
			t.Error("what was done in the mount is not on the server")
		}
		u.must(u.tool("fusermount3", "-u", u.path("mnt")))
		u.wantLogins(1)
	})
}

// TestProgramAutossh: the status of a command, and a forward that is there
// again after its connection was killed.
func TestProgramAutossh(t *testing.T) {
	need(t, "autossh")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		u.setenv("AUTOSSH_PATH="+u.path("bin/ssh"), "AUTOSSH_GATETIME=0")
		u.must(u.tool("autossh", "-M", "0", "sshd", "echo in")).want(t, 0, "in\n", silent())
		// It makes 1 of every other status but 255, for which it goes on.
		u.run(u.tool("autossh", "-M", "0", "sshd", "exit 3")).want(t, 1, "", silent())
		u.wantLogins(1)

		port := closedPort(t)
		forward := net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + ":" + u.srv.Addr
		auto := u.tool("autossh", "-M", "0", "-o", "ExitOnForwardFailure=yes", "-N", "-L", forward, "sshd")
		if err := auto.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			auto.Process.Signal(syscall.SIGTERM)
			auto.Wait()
		}()
		greets := func() bool {
			c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return false
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(answerTime))
			b := make([]byte, 4)
			n, _ := io.ReadFull(c, b)
			return string(b[:n]) == "SSH-"
		}
		eventually(t, "the forward is there", greets)
		before := u.logins()
		for _, pid := range u.sessions() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		eventually(t, "autossh has ssh connect again", func() bool { return u.logins() > before })
		eventually(t, "the forward is there again", greets)
	})
}

// sessions returns the processes of the connections of the server, those of
// other users included.
func (u *user) sessions() []int {
	u.t.Helper()
	var pids []int
	for parents := []int{u.srv.PID}; len(parents) > 0; parents = parents[1:] {
		out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(parents[0])).Output()
		for word := range strings.FieldsSeq(string(out)) {
			pid, _ := strconv.Atoi(word)
			pids, parents = append(pids, pid), append(parents, pid)
		}
	}
	if len(pids) == 0 {
		u.t.Fatal("the server has no connections")
	}
	return pids
}

// needMosh skips a test where loopback carries no datagrams or where the
// locale that mosh requires is missing.
func needMosh(t *testing.T) {
	t.Helper()
	need(t, "mosh", "mosh-server")
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("this machine has no UDP on loopback: %v", err)
	}
	c.Close()
	list, _ := exec.Command("locale", "-a").Output()
	if !regexp.MustCompile(`(?mi)^C\.utf-?8$`).Match(list) {
		t.Skipf("mosh wants a UTF-8 locale, there are only %q", list)
	}
}

// TestProgramMosh: a session in its own way of finding the host, a program of
// its own as ProxyCommand, and in the one that lets connections be shared.
func TestProgramMosh(t *testing.T) {
	needMosh(t)
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		way := "proxy"
		if u.shared {
			way = "remote"
		}
		cmd := u.tool("mosh", "--ssh=ssh", "--server=mosh-server", "--experimental-remote-ip="+way,
			"sshd", "--", "sh", "-c", `echo "it is $((6*7))"; read answer; test "$answer" = go`)
		s := u.onScreen(cmd)
		s.expect(`it is 42`)
		s.send("go\r")
		s.expect(`mosh is exiting`)
		s.wantEnd(0)
		u.wantLogins(1)
	})
}

// TestProgramSSHCopyID adds a key, logs in with it, and finds it there the
// second time.
func TestProgramSSHCopyID(t *testing.T) {
	need(t, "ssh-copy-id", "ssh-keygen")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		// The remote side goes to its HOME. Nothing is tried before it is
		// certain that this is the test's.
		if o := u.sh(`ssh sshd 'cd && pwd'`); o.stdout != u.home+"\n" {
			t.Fatalf("the server's HOME is %q", o.stdout)
		}
		key := u.keygen("new", "-t", "ed25519")
		if err := os.Mkdir(u.path(".ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(u.srv.AuthorizedKeys, u.path(".ssh/authorized_keys")); err != nil {
			t.Fatal(err)
		}
		// The way in is an agent's key: those of the configuration would be
		// tried with the new one, which then seemed to work already.
		u.agent(u.srv.ClientKey)
		text := u.readAny(u.cfg)
		for _, line := range []string{"IdentitiesOnly yes", "IdentityAgent none", "IdentityFile \"" + u.srv.ClientKey + "\""} {
			text = strings.Replace(text, "  "+line+"\n", "", 1)
		}
		if err := os.WriteFile(u.cfg, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := u.must(u.tool("ssh-copy-id", "-i", key, "sshd"))
		wantIn(t, o, "Number of key(s) added: 1")
		keys, _ := os.ReadFile(u.srv.AuthorizedKeys)
		if !strings.HasSuffix(string(keys), u.read("new.pub")) || strings.Count(string(keys), "ssh-ed25519 ") != 2 {
			t.Errorf("authorized_keys is now %q", keys)
		}
		u.sh(`ssh -S none -o IdentitiesOnly=yes -i new sshd 'echo in'`).want(t, 0, "in\n", silent())
		o = u.must(u.tool("ssh-copy-id", "-i", key, "sshd"))
		if !strings.Contains(o.stderr, "already exist on the remote system") {
			t.Errorf("the second time: %v", o)
		}
	})
}

func (u *user) readAny(path string) string {
	u.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		u.t.Fatal(err)
	}
	return string(text)
}
