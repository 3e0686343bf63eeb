//go:build linux

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest"
)

// inMounts runs a shell command in a mount namespace in which files of the
// world replace others.
func (w *world) inMounts(mounts map[string]string, line string) *exec.Cmd {
	w.t.Helper()
	need(w.t, "unshare", "mount")
	flags := "-m"
	if os.Getuid() != 0 {
		flags = "-rm"
	}
	script := ""
	for from, to := range mounts {
		script += "mount --bind " + w.path(from) + " " + to + " && "
	}
	if out, err := exec.Command("unshare", flags, "sh", "-c", script+"true").CombinedOutput(); err != nil {
		w.t.Skipf("cannot make a mount namespace: %s", out)
	}
	return w.tool("unshare", flags, "sh", "-c", script+line)
}

// TestNamesOfNSS reaches a server by a name that only a module of the C library
// knows, and listens and binds on such a name.
func TestNamesOfNSS(t *testing.T) {
	t.Parallel()
	need(t, "getent")
	if found, _ := filepath.Glob("/lib/*/libnss_myhostname.so*"); len(found) == 0 {
		t.Skip("libnss-myhostname is not installed")
	}
	w, _ := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", None: true}}}, "StrictHostKeyChecking no", "UserKnownHostsFile /dev/null")
	w.write("nsswitch.conf", "hosts: files myhostname\n")
	mounts := map[string]string{"nsswitch.conf": "/etc/nsswitch.conf"}
	args := " -4 -F " + w.cfg + " -o HostName=it.localhost -b me.localhost sshtest "
	o := w.run(w.inMounts(mounts, gosshPath+args+"echo here"))
	if o.status != 0 || o.stdout != "here\n" {
		t.Errorf("%s", o)
	}
	o = w.run(w.inMounts(mounts, gosshPath+" -F "+w.cfg+" -o HostName=nowhere.invalid sshtest true"))
	if o.status != 255 || !strings.Contains(o.stderr, "Could not resolve hostname nowhere.invalid: Name or service not known") {
		t.Errorf("%s", o)
	}
}

// TestUserOfNSS: the local user stands in a source other than /etc/passwd, that
// of systemd's user records. ssh sees the same one.
func TestUserOfNSS(t *testing.T) {
	t.Parallel()
	need(t, "getent", "setpriv", "ssh")
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if found, _ := filepath.Glob("/lib/*/libnss_systemd.so*"); len(found) == 0 {
		t.Skip("libnss-systemd is not installed")
	}
	w := newWorld(t)
	w.write("nsswitch.conf", "passwd: files systemd\n")
	if err := os.MkdirAll(w.path("run/userdb"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann.user", "54321.user"} {
		w.write("run/userdb/"+name, `{"userName":"ann","uid":54321,"gid":54321,"homeDirectory":"/net/home/ann","shell":"/bin/sh","disposition":"regular"}`)
	}
	for _, name := range []string{"nsswitch.conf", "run/userdb/ann.user", "run/userdb/54321.user"} {
		if err := os.Chmod(w.path(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(w.path("bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", gosshPath, w.path("bin/gossh")).CombinedOutput(); err != nil {
		t.Fatalf("cp: %s", out)
	}
	mounts := map[string]string{"nsswitch.conf": "/etc/nsswitch.conf", "run": "/run", "bin": "/mnt"}
	args := " -F none -G -o ControlPath=~/%u -o UserKnownHostsFile=~ann/known host"
	compareUsers := func(uid string, want ...string) {
		t.Helper()
		o := w.run(w.inMounts(mounts, "unset GORACE; exec setpriv --reuid "+uid+" /mnt/gossh"+args))
		real := w.run(w.inMounts(mounts, "exec setpriv --reuid "+uid+" ssh"+args))
		if o.status != real.status || o.stderr != real.stderr {
			t.Errorf("uid %s: %s\nssh: %s", uid, o, real)
		}
		for _, line := range want {
			if !strings.Contains(o.stdout, line) || !strings.Contains(real.stdout, line) {
				t.Errorf("uid %s: %s\nssh: %s\nnot both have %q", uid, o, real, line)
			}
		}
	}
	compareUsers("54321", "user ann\n", "controlpath /net/home/ann/ann\n", "userknownhostsfile /net/home/ann/known\n")
	compareUsers("54322") // in no source
	w.write("nsswitch.conf", "passwd: files\n")
	compareUsers("54321")
}
