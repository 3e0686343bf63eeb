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

// heavy skips a test of a slow interpreter in short runs.
func heavy(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds of somebody else's start-up")
	}
}

// TestProgramAnsible runs modules ad hoc: with a connection each and with
// Ansible's own ControlPersist, with and without pipelining.
func TestProgramAnsible(t *testing.T) {
	heavy(t)
	need(t, "ansible", "python3")
	opensshd.NeedTerminals(t) // it has one at every command
	for _, pipelining := range []string{"True", "False"} {
		t.Run("pipelining "+pipelining, func(t *testing.T) {
			programs(t, opensshd.Options{Extra: "MaxSessions 100\n"}, func(t *testing.T, u *user) {
				// Sockets have short paths, and Ansible's name is long.
				sockets := filepath.Dir(u.socket())
				u.setenv("ANSIBLE_CONFIG="+u.write("ansible.cfg", ""), "ANSIBLE_PIPELINING="+pipelining, "ANSIBLE_NOCOLOR=1",
					"ANSIBLE_SSH_CONTROL_PATH_DIR="+sockets, "ANSIBLE_HOME="+u.path("ansible"))
				if !u.shared {
					u.setenv("ANSIBLE_SSH_ARGS=-o ControlMaster=no")
				}
				// sftp would run the ssh that it was built with.
				u.script("bin/sftp", "PATH='"+os.Getenv("PATH")+"' exec sftp -S "+u.path("bin/ssh")+` "$@"`)
				u.setenv("ANSIBLE_SFTP_EXECUTABLE=" + u.path("bin/sftp"))
				inventory := u.write("hosts", "sshd ansible_python_interpreter=/usr/bin/python3\n")
				ansible := func(args ...string) outcome {
					return u.run(u.tool("ansible", append([]string{"-i", inventory, "sshd"}, args...)...))
				}
				if o := ansible("-m", "ping"); o.status != 0 || !strings.Contains(o.stdout, `"ping": "pong"`) || o.stderr != "" {
					t.Errorf("ping: %v", o)
				}
				o := ansible("-m", "command", "-a", `sh -c 'echo "$HOME"; exit 7'`)
				if o.status != 2 || !strings.HasSuffix(o.stdout, "FAILED | rc=7 >>\n"+u.home+"non-zero return code\n") || o.stderr != "" {
					t.Errorf("a command that fails: %v", o)
				}
				if pipelining == "True" {
					o := ansible("-m", "ping", "-e", fmt.Sprintf("ansible_host=127.0.0.1 ansible_port=%d", closedPort(t)))
					if o.status != 4 || !strings.Contains(o.stdout, "UNREACHABLE") || !strings.Contains(o.stdout, "Connection refused") {
						t.Errorf("a host that is not there: %v", o)
					}
				}
				u.wantLogins(2)
				if u.shared {
					for _, name := range u.socketsIn(sockets) {
						u.run(u.tool("ssh", "-S", name, "-O", "exit", "sshd"))
					}
				}
			})
		})
	}
}

// socketsIn returns the control sockets in a folder.
func (u *user) socketsIn(dir string) []string {
	u.t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		u.t.Errorf("no control socket: %v", err)
	}
	return names
}

// tramp opens a remote file, reads, writes, lists, runs processes in the
// foreground and in the background, and copies a large file. What it finds it
// prints.
const tramp = `
(setq tramp-verbose 3 tramp-use-ssh-controlmaster-options %s
      tramp-persistency-file-name nil auto-save-default nil make-backup-files nil)
(require 'tramp)
(let* ((dir "/ssh:sshd:%s/") (default-directory dir))
  (with-current-buffer (find-file-noselect (concat dir "é note"))
    (princ (format "read %%S\n" (buffer-string)))
    (goto-char (point-max)) (insert "added\n") (save-buffer))
  (princ (format "list %%S\n" (directory-files (concat dir "tree") nil "^[^.]")))
  (princ (format "status %%S\n" (process-file "sh" nil nil nil "-c" "exit 3")))
  (princ (format "shell %%S\n" (shell-command-to-string "echo $SERVER; pwd")))
  (with-temp-buffer
    (setq default-directory dir)
    (let ((p (start-file-process "cat" (current-buffer) "cat")))
      (set-process-query-on-exit-flag p nil)
      (process-send-string p "through\n")
      (while (not (string-match "through" (buffer-string))) (accept-process-output p 1))
      (delete-process p) (princ "process through\n")))
  (copy-file (concat dir "tree/sub/large") "%s" t)
  (princ "copied\n")
  (tramp-cleanup-all-connections))
`

// TestProgramTRAMP drives Emacs without a terminal: each way with its own
// connection, and with the connection that TRAMP asks to be shared.
func TestProgramTRAMP(t *testing.T) {
	opensshd.NeedTerminals(t)
	heavy(t)
	need(t, "emacs")
	programs(t, opensshd.Options{}, func(t *testing.T, u *user) {
		u.tree("tree")
		u.tramp("nil")
		u.wantLogins(2)
		if u.shared {
			return
		}
		before := u.logins()
		u.tramp("t")
		eventually(t, "a connection", func() bool { return u.logins() > before })
		if got := u.logins() - before; got != 1 {
			t.Errorf("%d connections with ControlMaster of TRAMP's own, want 1", got)
		}
	})
}

// tramp runs the script.
func (u *user) tramp(ownControlMaster string) {
	u.t.Helper()
	u.write("é note", "first\n")
	script := u.write("tramp.el", fmt.Sprintf(tramp, ownControlMaster, u.home, u.path("large")))
	o := u.must(u.tool("emacs", "--batch", "-Q", "-l", script))
	want := "read \"first\n\"\nlist (\"empty\" \"small\" \"sub\" \"with space\")\nstatus 3\n" +
		"shell \"yes\n" + u.home + "\n\"\nprocess through\ncopied\n"
	if o.stdout != want {
		u.t.Errorf("want %q\ngot %v", want, o)
	}
	if got := u.read("é note"); got != "first\nadded\n" {
		u.t.Errorf("saved %q", got)
	}
	large, _ := os.ReadFile(u.path("tree/sub/large"))
	if u.read("large") != string(large) {
		u.t.Error("the large file was changed on its way")
	}
}
