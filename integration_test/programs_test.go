//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// user is a world in which programs that run "ssh" find gossh by that name,
// first in PATH. The server is called sshd, and no further options are needed.
type user struct {
	*world
	shared bool // all of it goes over one connection
}

// programs runs a test twice: with a connection for each ssh, and with
// ControlMaster auto and ControlPersist in the configuration.
func programs(t *testing.T, opts opensshd.Options, test func(t *testing.T, u *user)) {
	t.Parallel()
	for _, mode := range []string{"fresh", "shared"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			u := &user{world: withSSHD(t, opts), shared: mode == "shared"}
			if u.shared {
				u.share()
				defer u.run(u.tool("ssh", "-F", u.cfg, "-O", "exit", "sshd"))
			}
			u.asWrapper()
			test(t, u)
		})
	}
}

// share makes the configuration share one connection.
func (u *user) share() {
	text := u.srv.ConfigText() + "  ControlMaster auto\n  ControlPersist 30\n  ControlPath " + u.socket() + "\n"
	u.cfg = u.write("shared_config", text)
}

// asWrapper puts an ssh first in PATH that runs gossh by the name of ssh with
// the test's configuration. It is for programs that cannot pass -F: ssh takes
// the home folder from the user database, not from HOME.
func (u *user) asWrapper() {
	if err := os.Mkdir(u.path("bin"), 0o755); err != nil {
		u.t.Fatal(err)
	}
	u.script("bin/ssh", "exec "+filepath.Join(binDir, "ssh")+" -F "+u.cfg+` "$@"`)
	u.setenv("PATH=" + u.path("bin") + ":" + os.Getenv("PATH"))
}

// wantLogins fails the test unless the server has seen one connection, if
// connections are shared, or at least n. This also shows that the program used
// gossh.
func (u *user) wantLogins(fresh int) {
	u.t.Helper()
	if u.shared {
		fresh = 1
	}
	// The server's log comes by a way of its own.
	eventually(u.t, fmt.Sprintf("connections: %d", fresh), func() bool { return u.logins() >= fresh })
	if got := u.logins(); u.shared && got != 1 {
		u.t.Errorf("%d connections, want all of it over one", got)
	}
}

func (u *user) logins() int { return strings.Count(u.srv.Log(), "Accepted publickey") }

// sh runs a shell command that has to succeed.
func (u *user) sh(line string) outcome {
	u.t.Helper()
	return u.must(u.tool("sh", "-c", line))
}

// wantIn fails the test unless the output contains the text.
func wantIn(t *testing.T, o outcome, text string) {
	t.Helper()
	if !strings.Contains(o.stdout, text) {
		t.Errorf("%q is not there: %v", text, o)
	}
}

// TestProgramName: called ssh, gossh begins its messages as ssh does.
func TestProgramName(t *testing.T) {
	t.Parallel()
	need(t, "ssh")
	w := withSSHD(t, opensshd.Options{})
	refused := fmt.Sprint(closedPort(t))
	named := 0
	for _, args := range [][]string{
		{"-p", refused, "sshd", "true"},
		{"-o", "HostName=host..invalid", "sshd", "true"},
		{"-o", "ProxyCommand=exit 1", "sshd", "true"},
		{"-o", "NoSuchKeyword=1", "sshd", "true"},
		{"-p", "0", "sshd", "true"},
		{"-L", "x", "sshd"},
		{"-W", "x", "sshd"},
		{"-O", "check", "sshd"},
		{"-S", w.path("none"), "-O", "check", "sshd"},
		{"-F", w.path("none"), "sshd", "true"},
		{"-c", "none-such", "sshd", "true"},
	} {
		got, want := w.run(w.command(filepath.Join(binDir, "ssh"), args...)), w.run(w.ssh(args...))
		// What ssh says of its arguments ends in \n, all else in \r\n; with
		// gossh all of it ends in \r\n.
		got.stderr = strings.ReplaceAll(got.stderr, "\r", "")
		want.stderr = strings.ReplaceAll(want.stderr, "\r", "")
		if got.status != want.status || got.stdout != want.stdout || got.stderr != want.stderr {
			t.Errorf("%q:\ngot %v\nssh: %v", args, got, want)
		}
		if strings.HasPrefix(got.stderr, "ssh: ") {
			named++
		}
	}
	if named < 2 {
		t.Errorf("%d messages begin with the name", named)
	}
}

// TestProgramGit: clone, push and fetch by a URL and by host:path.
func TestProgramGit(t *testing.T) {
	need(t, "git", "diff")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		u.setenv("GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.com", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
		git := func(args ...string) outcome { return u.must(u.tool("git", args...)) }
		git("init", "-q", "--bare", "-b", "main", "origin.git")
		git("clone", "-q", "sshd:"+u.path("origin.git"), "one")
		u.tree("one/files")
		git("-C", "one", "add", ".")
		git("-C", "one", "commit", "-q", "-m", "first")
		git("-C", "one", "push", "-q", "origin", "HEAD:main")
		git("clone", "-q", "ssh://sshd"+u.path("origin.git"), "two")
		u.same(u.path("one/files"), u.path("two/files"))
		u.wantLogins(3)
	})
}

// TestProgramRsync: there and back, and nothing to do the second time.
func TestProgramRsync(t *testing.T) {
	need(t, "rsync", "diff")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		dir := u.tree("tree")
		u.must(u.tool("rsync", "-az", dir+"/", "sshd:"+u.path("there")))
		u.must(u.tool("rsync", "-a", "--delete", "sshd:"+u.path("there")+"/", u.path("back")))
		u.same(dir, u.path("back"))
		u.must(u.tool("rsync", "-ai", dir+"/", "sshd:"+u.path("there"))).want(t, 0, "", silent())
		u.wantLogins(3)
	})
}

// TestProgramSCP: there and back by sftp, and by the old protocol. scp runs
// the ssh that it was built with unless told by -S.
func TestProgramSCP(t *testing.T) {
	need(t, "scp", "diff")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		dir := u.tree("tree")
		for _, flag := range []string{"-s", "-O"} {
			there, back := u.path("there"+flag), u.path("back"+flag)
			u.must(u.tool("scp", "-q", "-S", "ssh", "-r", flag, dir, "sshd:"+there)).want(t, 0, "", silent())
			u.must(u.tool("scp", "-q", "-S", "ssh", "-r", flag, "sshd:"+there, back)).want(t, 0, "", silent())
			u.same(dir, back)
		}
		u.wantLogins(4)
	})
}

// TestProgramSFTP runs batches, one of which fails.
func TestProgramSFTP(t *testing.T) {
	need(t, "sftp", "diff")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		dir := u.tree("tree")
		sftp := func(lines ...string) outcome {
			batch := u.write("batch", strings.Join(lines, "\n")+"\n")
			return u.run(u.tool("sftp", "-S", "ssh", "-b", batch, "sshd"))
		}
		o := sftp("cd "+u.home, "mkdir there", "put -r tree/* there", "get -r there back", "ls -1 there")
		if o.status != 0 || o.stderr != "" {
			t.Errorf("%v", o)
		}
		wantIn(t, o, "there/with space")
		u.same(dir, u.path("back"))
		if o := sftp("get " + u.path("none")); o.status != 1 || !strings.Contains(o.stderr, "not found") {
			t.Errorf("a file that is not there: %v", o)
		}
		u.wantLogins(2)
	})
}

// TestProgramParallel spreads jobs over the host, with files there and back.
func TestProgramParallel(t *testing.T) {
	need(t, "parallel", "rsync")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		u.setenv("PARALLEL_HOME=" + u.path("parallel"))
		u.sh("mkdir parallel && : >parallel/will-cite")
		// Of several that start at once each would be the master, and those
		// that are too late keep their own connection, as with OpenSSH.
		u.sh("ssh sshd true")
		o := u.sh(`parallel --sshlogin 3/sshd -k 'echo "$SERVER" {}' ::: 1 2 3 4 "it's"`)
		o.want(t, 0, "yes 1\nyes 2\nyes 3\nyes 4\nyes it's\n", silent())
		u.write("a", "one\n")
		u.write("b", "two\n")
		u.sh(`parallel --sshlogin 2/sshd --trc {}.up --workdir ` + u.path("work") + ` 'tr a-z A-Z <{} >{}.up' ::: a b`)
		if got := u.read("a.up") + u.read("b.up"); got != "ONE\nTWO\n" {
			t.Errorf("got %q", got)
		}
		// Its status is the number of jobs that failed.
		if o := u.run(u.tool("parallel", "--sshlogin", "2/sshd", "exit {}", ":::", "0", "3", "4")); o.status != 2 {
			t.Errorf("%v", o)
		}
		u.wantLogins(10)
	})
}
