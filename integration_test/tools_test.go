//go:build linux

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// asSSH puts gossh first in PATH by the name of ssh.
func (w *world) asSSH() {
	w.setenv("PATH=" + binDir + ":" + os.Getenv("PATH"))
}

// tree makes a folder with files of awkward names and sizes.
func (w *world) tree(name string) string {
	w.t.Helper()
	dir := w.path(name)
	for file, size := range map[string]int64{"empty": 0, "small": 1, "with space": 70_000, "sub/é": 33 << 10, "sub/large": 5<<20 + 3} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		data, _ := io.ReadAll(noise(size))
		if err := os.WriteFile(path, data, 0o640); err != nil {
			w.t.Fatal(err)
		}
	}
	return dir
}

// same fails the test unless two folders are equal.
func (w *world) same(a, b string) {
	w.t.Helper()
	if out, err := exec.Command("diff", "-r", a, b).CombinedOutput(); err != nil {
		w.t.Errorf("%s and %s differ: %v\n%s", a, b, err, out)
	}
}

// must runs a program that has to succeed.
func (w *world) must(cmd *exec.Cmd) outcome {
	w.t.Helper()
	o := w.run(cmd)
	if o.status != 0 {
		w.t.Errorf("%q: %v", cmd.Args, o)
	}
	return o
}

func TestSCP(t *testing.T) {
	t.Parallel()
	need(t, "scp", "diff")
	w := withSSHD(t, opensshd.Options{})
	dir := w.tree("tree")
	for _, flags := range [][]string{nil, {"-O"}} { // by sftp, and by the old protocol
		scp := func(args ...string) *exec.Cmd {
			return w.tool("scp", append(append([]string{"-q", "-S", gosshPath, "-F", w.cfg, "-r", "-p"}, flags...), args...)...)
		}
		there, back := w.path("there"+strings.Join(flags, "")), w.path("back"+strings.Join(flags, ""))
		w.must(scp(dir, "sshd:"+there))
		w.same(dir, there)
		w.must(scp("sshd:"+there, back))
		w.same(dir, back)
		if o := w.run(scp("sshd:"+w.path("none"), back)); o.status != 1 || !strings.Contains(o.stderr, "No such file") {
			t.Errorf("a file that is not there: %v", o)
		}
	}
	// Between two servers, through here.
	w.must(w.tool("scp", "-q", "-3", "-r", "-S", gosshPath, "-F", w.cfg, "sshd:"+dir, "sshd:"+w.path("third")))
	w.same(dir, w.path("third"))
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	need(t, "sftp")
	w := withSSHD(t, opensshd.Options{})
	data, _ := io.ReadAll(noise(3 << 20))
	w.write("source", string(data))
	batch := w.write("batch", fmt.Sprintf("cd %s\nput source uploaded\nget uploaded downloaded\nls -1 uploaded\nrm uploaded\n", w.home))
	o := w.must(w.tool("sftp", "-S", gosshPath, "-F", w.cfg, "-b", batch, "sshd"))
	if !strings.Contains(o.stdout, "\nuploaded\n") || !bytes.Equal([]byte(w.read("downloaded")), data) {
		t.Errorf("%v", o)
	}
	s := w.onScreen(w.tool("sftp", "-S", gosshPath, "-F", w.cfg, "sshd"))
	s.expect(`sftp> `)
	s.send("pwd\n")
	s.expect(`Remote working directory: /`)
	s.expect(`sftp> `)
	s.send("bye\n")
	s.wantEnd(0)
}

func TestRsync(t *testing.T) {
	t.Parallel()
	need(t, "rsync", "diff")
	w := withSSHD(t, opensshd.Options{})
	dir := w.tree("tree")
	program := gosshPath + " -F " + w.cfg
	w.must(w.tool("rsync", "-a", "-e", program, dir+"/", "sshd:"+w.path("there")))
	w.same(dir, w.path("there"))
	w.must(w.tool("rsync", "-a", "-e", program, "sshd:"+w.path("there")+"/", w.path("back")))
	w.same(dir, w.path("back"))
	// A second run has nothing to do, and one with a wrong path fails.
	o := w.must(w.tool("rsync", "-ai", "-e", program, dir+"/", "sshd:"+w.path("there")))
	o.want(t, 0, "", silent())
	if o := w.run(w.tool("rsync", "-a", "-e", program, "sshd:"+w.path("none"), w.path("back"))); o.status != 23 {
		t.Errorf("a folder that is not there: %v", o)
	}
}

func TestGit(t *testing.T) {
	t.Parallel()
	need(t, "git")
	w := withSSHD(t, opensshd.Options{})
	w.setenv("GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	git := func(args ...string) outcome { return w.must(w.tool("git", args...)) }
	git("init", "-q", "-b", "main", "origin")
	w.tree("origin/files")
	git("-C", "origin", "add", ".")
	git("-C", "origin", "commit", "-q", "-m", "first")
	git("-C", "origin", "config", "receive.denyCurrentBranch", "ignore")
	// The wrapper is for GIT_SSH, which takes no arguments.
	wrapper := w.script("wrapper", "exec "+gosshPath+" -F "+w.cfg+" \"$@\"")
	base := w.env
	for i, variable := range []string{"GIT_SSH=" + wrapper, "GIT_SSH_COMMAND=" + gosshPath + " -F " + w.cfg, "GIT_SSH_COMMAND=ssh -F " + w.cfg} {
		w.env = base
		w.setenv(variable)
		w.asSSH()
		clone := fmt.Sprintf("clone%d", i)
		git("clone", "-q", "ssh://sshd"+w.path("origin"), clone)
		w.same(w.path("origin/files"), w.path(clone+"/files"))
		w.write(clone+"/new", variable)
		git("-C", clone, "add", ".")
		git("-C", clone, "commit", "-q", "-m", "more")
		git("-C", clone, "push", "-q", "origin", "main:"+clone)
		git("-C", clone, "fetch", "-q")
		theirs := git("-C", "origin", "rev-parse", clone).stdout
		if ours := git("-C", clone, "rev-parse", "HEAD").stdout; ours != theirs {
			t.Errorf("%s: pushed %s, there is %s", variable, ours, theirs)
		}
	}
	w.env = base
	w.setenv("GIT_SSH=" + wrapper)
	if o := w.run(w.tool("git", "ls-remote", "ssh://sshd"+w.path("none"))); o.status != 128 || !strings.Contains(o.stderr, "Could not read from remote repository") {
		t.Errorf("a repository that is not there: %v", o)
	}
}

// TestCalledSSH: by the name of ssh it is ssh in its messages too.
func TestCalledSSH(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	w.asSSH()
	w.run(w.tool("sh", "-c", "ssh -F "+w.cfg+" sshd echo in")).want(t, 0, "in\n", silent())
	o := w.run(w.tool("sh", "-c", fmt.Sprintf("ssh -F %s -p %d sshd true", w.cfg, closedPort(t))))
	if o.status != 255 || !strings.HasPrefix(o.stderr, "ssh: connect to host 127.0.0.1 port ") {
		t.Errorf("got %v", o)
	}
	// scp finds the first ssh of PATH by itself only if it was built so; -S
	// with a name looks there.
	need(t, "scp")
	w.write("file", "text")
	w.must(w.tool("scp", "-q", "-S", "ssh", "-F", w.cfg, w.path("file"), "sshd:"+w.path("copied")))
	if got := w.read("copied"); got != "text" {
		t.Errorf("got %q", got)
	}
}
