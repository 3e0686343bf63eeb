//go:build linux

package integration_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestSurroundingsLikeSSH: descriptors that are closed or full, a user whom
// nobody knows, a shell that is not there, a log elsewhere.
func TestSurroundingsLikeSSH(t *testing.T) {
	t.Parallel()
	need(t, "sh")
	w := withSSHD(t, opensshd.Options{})
	// A server that is killed with something unread would be a reset: cat waits
	// for the last that is sent, the end of the input.
	for name, script := range map[string]string{
		"-G to a full disk":    `"$@" -G sshd >/dev/full`,
		"-G to closed output":  `"$@" -G sshd >&-`,
		"-Q to a full disk":    `"$@" -Q cipher >/dev/full`,
		"no input":             `"$@" sshd 'echo out; cat; exit 3' <&-`,
		"no output":            `"$@" sshd 'echo out; exit 3' >&- </dev/null`,
		"no errors":            `"$@" sshd 'echo out; echo err >&2; exit 3' 2>&- </dev/null`,
		"nothing":              `"$@" sshd 'exit 3' <&- >&- 2>&-`,
		"a full disk":          `"$@" sshd 'echo out; exit 3' >/dev/full </dev/null`,
		"no shell":             `SHELL=/nonexistent "$@" -o PermitLocalCommand=yes -o 'LocalCommand=echo "a b"' sshd 'exit 3'`,
		"no home":              `unset HOME; "$@" sshd 'exit 3'`,
		"lost":                 `"$@" -q sshd 'cat; kill -9 $PPID; sleep 1000'`,
		"lost, and a log":      `"$@" -E log sshd 'cat; kill -9 $PPID; sleep 1000'; s=$?; cat log; exit $s`,
		"a terminal and a log": `"$@" -tt -E log sshd 'exit 3' </dev/null; s=$?; cat log; exit $s`,
		"no log":               `"$@" -E none/log sshd 'exit 3'`,
	} {
		run := func(program string) outcome {
			return w.run(w.tool("sh", append([]string{"-c", script, "sh", program}, w.pre...)...))
		}
		got, want := run(gosshPath), run("ssh")
		if strings.HasPrefix(name, "-G to") { // the text itself differs
			got.stdout, want.stdout = "", ""
		}
		compare(t, name, got, want)
	}
}

// TestUserWithoutName: a process whose user is in no database.
func TestUserWithoutName(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	w := newWorld(t)
	// Neither program may be readable to others where it is.
	gossh, err := os.Open(gosshPath)
	if err != nil {
		t.Fatal(err)
	}
	defer gossh.Close()
	become := func(name string) outcome {
		cmd := exec.Command(name, "-F", "none", "-p", "1", "127.0.0.1")
		cmd.ExtraFiles = []*os.File{gossh}
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
		return w.run(cmd)
	}
	compare(t, "a nameless user", become("/proc/self/fd/3"), become("ssh"))
}

// TestUpdatedHostKeysLikeSSH: the order of the messages before the question.
func TestUpdatedHostKeysLikeSSH(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{HostKeys: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256}})
	said := regexp.MustCompile(`(?s)The server has updated.*Accept updated hostkeys\? \(yes/no\): |Learned.*Accept updated hostkeys\? \(yes/no\): `)
	var texts []string
	for _, program := range []string{gosshPath, "ssh"} {
		known := w.write("known_hosts_to_update", "sshd "+string(ssh.MarshalAuthorizedKey(w.srv.HostKeys[0])))
		s := w.onScreen(w.command(program, "-o", "UserKnownHostsFile="+known, "-o", "UpdateHostKeys=ask", "-o", "BatchMode=no", "sshd"))
		s.expect(`Accept updated hostkeys\? \(yes/no\): $`)
		// Whether the terminal was raw already is a matter of moments.
		texts = append(texts, said.FindString(strings.ReplaceAll(s.text(), "\r\r\n", "\r\n")))
		s.send("no\n")
		s.expect(`\$ `)
		s.send("exit 3\n")
		s.wantEnd(3)
	}
	if texts[0] != texts[1] || texts[0] == "" {
		t.Errorf("%q\nssh: %q", texts[0], texts[1])
	}
}
