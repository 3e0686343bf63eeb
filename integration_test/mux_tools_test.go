//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// sharingConfig writes a configuration in which every program shares
// connections.
func (m *muxMaster) sharingConfig() string {
	return m.w.write("sharing", fmt.Sprintf("ControlMaster auto\nControlPersist 60\nControlPath %s\nInclude %s\n", m.sock, m.w.cfg))
}

// endMaster ends the master, which has to exist.
func (m *muxMaster) endMaster() {
	m.w.t.Helper()
	pid := m.pid()
	if pid == 0 {
		m.w.t.Error("nothing was shared")
		return
	}
	m.control("exit")
	awaitEnd(m.w.t, pid)
}

// TestMuxTools: tools over ControlMaster auto and ControlPersist, the first of
// which makes the master, and whose pipes it must not keep.
func TestMuxTools(t *testing.T) {
	t.Parallel()
	need(t, "scp", "sftp", "rsync", "git", "diff")
	for _, maker := range []string{"scp", "sftp", "rsync", "git"} {
		t.Run("first "+maker, func(t *testing.T) {
			t.Parallel()
			w := muxServer(t, "")
			m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
			cfg := m.sharingConfig()
			program := gosshPath + " -F " + cfg
			dir := w.tree("tree")
			w.setenv("GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
				"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND="+program)
			tools := map[string]func(){
				"scp": func() {
					w.must(w.tool("scp", "-q", "-S", gosshPath, "-F", cfg, "-r", dir, "sshd:"+w.path("scp")))
					w.same(dir, w.path("scp"))
				},
				"sftp": func() {
					batch := w.write("batch", "put "+dir+"/sub/large "+w.path("sftp")+"\nls -1 "+w.path("sftp")+"\n")
					o := w.must(w.tool("sftp", "-S", gosshPath, "-F", cfg, "-b", batch, "sshd"))
					if !strings.Contains(o.stdout, "\n"+w.path("sftp")+"\n") {
						t.Errorf("sftp: %v", o)
					}
				},
				"rsync": func() {
					w.must(w.tool("rsync", "-a", "-e", program, dir+"/", "sshd:"+w.path("rsync")))
					w.same(dir, w.path("rsync"))
					w.must(w.tool("rsync", "-a", "-e", program, "sshd:"+w.path("rsync")+"/", w.path("back")))
					w.same(dir, w.path("back"))
				},
				"git": func() {
					for _, args := range [][]string{
						{"init", "-q", "--bare", "origin"}, {"clone", "-q", "ssh://sshd" + w.path("origin"), "clone"},
						{"-C", "clone", "commit", "-q", "--allow-empty", "-m", "first"}, {"-C", "clone", "push", "-q", "origin", "HEAD:main"},
						{"-C", "clone", "fetch", "-q"}, {"-C", "clone", "ls-remote", "--exit-code", "origin", "main"},
					} {
						w.must(w.tool("git", args...))
					}
				},
			}
			tools[maker]()
			for _, name := range []string{"scp", "sftp", "rsync", "git"} {
				if name != maker {
					tools[name]()
				}
			}
			m.endMaster()
		})
	}
}

// TestMuxAnsible is how Ansible calls ssh: several commands for each task, many
// hosts at once, a terminal that is none, data on standard input.
func TestMuxAnsible(t *testing.T) {
	t.Parallel()
	need(t, "sftp")
	opensshd.NeedTerminals(t)
	w := muxServer(t, "")
	m := &muxMaster{w: w, sock: w.socket(), host: "sshd"}
	base := []string{"-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "StrictHostKeyChecking=no",
		"-o", "KbdInteractiveAuthentication=no", "-o", "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey",
		"-o", "PasswordAuthentication=no", "-o", "ConnectTimeout=30", "-o", "ControlPath=" + m.sock}
	ssh := func(args ...string) outcome {
		return w.run(w.gossh(append(append([]string{}, base...), args...)...))
	}
	for range 3 {
		ssh("sshd", `/bin/sh -c 'echo ~ && sleep 0'`).want(t, 0, w.home+"\n", silent())
		ssh("sshd", `/bin/sh -c '( umask 77 && mkdir -p "`+w.home+`/tmp-1" && echo made ) && sleep 0'`).want(t, 0, "made\n", silent())
		module, _ := io.ReadAll(noise(100_000))
		source := w.write("module", string(module))
		put := w.tool("sftp", append(append([]string{"-S", gosshPath, "-F", w.cfg, "-b", "-"}, base...), "[sshd]")...)
		w.must(withInput(put, "put "+source+" "+w.home+"/tmp-1/module\n"))
		if w.read("tmp-1/module") != string(module) {
			t.Error("the module is another")
		}
		o := ssh("-tt", "sshd", `/bin/sh -c 'stty -onlcr; cat `+w.home+`/tmp-1/module | wc -c; exit 4'`)
		if o.status != 4 || o.stdout != "100000\n" || o.stderr != "Shared connection to 127.0.0.1 closed.\r\n" {
			t.Errorf("-tt: %v", o)
		}
		piped := w.gossh(append(append([]string{}, base...), "sshd", "/bin/sh -c 'cat && sleep 0'")...)
		w.run(withInput(piped, string(module))).want(t, 0, string(module), silent())
	}
	var forks sync.WaitGroup
	for i := range 10 {
		forks.Go(func() { ssh("sshd", fmt.Sprint("echo ", i)).want(t, 0, fmt.Sprintln(i), silent()) })
	}
	forks.Wait()
	m.endMaster()
}
