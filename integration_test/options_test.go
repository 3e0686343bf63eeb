//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// TestAlgorithms talks to sshd by each algorithm that -Q names and that sshd
// has.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{
		HostKeys: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSA},
		Extra: "Ciphers +aes128-cbc,3des-cbc\nMACs +hmac-sha1-96\n" +
			"KexAlgorithms +diffie-hellman-group14-sha1\nHostKeyAlgorithms +ssh-rsa\n"})
	tried := 0
	for query, keyword := range map[string]string{"cipher": "Ciphers", "mac": "MACs", "kex": "KexAlgorithms", "sig": "HostKeyAlgorithms"} {
		theirs := strings.Fields(w.run(w.tool("ssh", "-Q", query)).stdout)
		for _, name := range strings.Fields(w.run(w.tool(gosshPath, "-Q", query)).stdout) {
			if !slices.Contains(theirs, name) || strings.HasPrefix(name, "sk-") || strings.HasPrefix(name, "webauthn") ||
				name == "ssh-dss" || strings.HasPrefix(name, "ecdsa-sha2-nistp384") || strings.HasPrefix(name, "ecdsa-sha2-nistp521") {
				continue
			}
			args := []string{"-o", keyword + "=" + name}
			if query == "mac" {
				args = append(args, "-c", "aes128-ctr")
			}
			args = append(args, "sshd", "echo in")
			got := w.run(w.gossh(args...))
			if got.status != 0 && w.run(w.ssh(args...)).status != 0 {
				t.Logf("sshd does not do %s", name)
				continue
			}
			tried++
			got.want(t, 0, "in\n", silent())
		}
	}
	if tried < 20 {
		t.Errorf("only %d algorithms were tried", tried)
	}
}

// TestRekey exchanges keys many times while much goes both ways.
func TestRekey(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: "RekeyLimit 1M\n"})
	size := int64(16 << 20)
	for _, args := range [][]string{{}, {"-o", "RekeyLimit=700K"}, {"-C"}} {
		cmd := w.gossh(append(args, "sshd", "cat")...)
		cmd.Stdin = noise(size)
		var sum strings.Builder
		hash := w.tool("sha256sum")
		r, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, hash.Stdin, hash.Stdout = out, r, &sum
		if err := hash.Start(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		w.run(cmd).want(t, 0, "", silent())
		out.Close()
		hash.Wait()
		if want := countedSum(t, noise(size)) + "  -\n"; sum.String() != want {
			t.Errorf("%v: got %s, want %s", args, sum.String(), want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: "AcceptEnv LC_* GIVEN\n"})
	w.setenv("LC_ONE=1 one", "LC_TWO=2", "GIVEN=x", "OTHER=y")
	const show = "env | grep -E '^(LC_|GIVEN|OTHER|SET)' | sort"
	for _, args := range [][]string{
		{"-o", "SendEnv=LC_ONE GIVEN OTHER"},
		{"-o", "SendEnv=LC_* -LC_TWO", "-o", "SetEnv=GIVEN=\"a b\""},
		{"-o", "SetEnv=LC_TWO=22", "-o", "SendEnv=LC_TWO"},
		{},
	} {
		w.likeSSH(t, append(args, "sshd", show))
	}
}

// TestOptions runs the same with ssh and wants the same.
func TestOptions(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	long := strings.Repeat("a", 100_000)
	for _, args := range [][]string{
		{"-o", "RemoteCommand=echo remote", "sshd"},
		{"-o", "RemoteCommand=echo %h %p %r %n", "sshd"},
		{"-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo local %n %h %r", "sshd", "echo remote"},
		{"-o", "PermitLocalCommand=yes", "-o", "LocalCommand=exit 3", "sshd", "exit 4"},
		{"-o", "LocalCommand=echo local", "sshd", "echo remote"},
		{"-o", "VisualHostKey=yes", "sshd", "echo remote"},
		{"-o", "StdinNull=yes", "sshd", "cat"},
		{"-o", "SessionType=subsystem", "sshd", "nothing"},
		{"-o", "RequestTTY=force", "sshd", "test -t 0 && echo terminal"},
		{"-o", "ServerAliveInterval=1", "sshd", "sleep 2; echo awake"},
		{"-o", "LogLevel=ERROR", "-t", "sshd", "echo remote"},
		{"-C", "sshd", "echo compressed"},
		{"-4", "sshd", "echo four"},
		{"-b", "127.0.0.1", "sshd", "echo bound"},
		{"-l", w.srv.User, "sshd", "echo user"},
		{w.srv.User + "@sshd", "echo user"},
		{fmt.Sprintf("ssh://%s@sshd:%d", w.srv.User, w.srv.Port), "echo url"},
		{"sshd", "-v", "-q", "echo", "options behind"},
		{"sshd", "echo", "-n", "options", "of the command"},
		{"sshd", "printf '\xff\x01\n\\n'; : é"},
		{"sshd", ": " + long + "; echo long"},
		{"sshd", ""},
		{"sshd", " "},
	} {
		w.likeSSH(t, args)
	}
}

// TestLog: -v never reaches standard output, and -E takes all that is ours.
func TestLog(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	o := w.run(w.gossh("-vvv", "sshd", "echo out; echo err >&2"))
	if o.stdout != "out\n" || !strings.Contains(o.stderr, "err\n") || !strings.Contains(o.stderr, "\nAuthenticated to 127.0.0.1") {
		t.Errorf("got %v", o)
	}
	errs := "err\n"
	log := w.path("log")
	w.run(w.gossh("-v", "-E", log, "sshd", "echo out; echo err >&2; exit 3")).want(t, 3, "out\n", &errs)
	w.run(w.gossh("-E", log, "-p", fmt.Sprint(closedPort(t)), "sshd", "true")).want(t, 255, "", silent())
	text := w.read("log")
	if !strings.Contains(text, "\nAuthenticated to") || !strings.Contains(text, "Connection refused") {
		t.Errorf("the log has %q", text)
	}
}

// TestHostKeyFiles compares what the two programs write to known_hosts.
func TestHostKeyFiles(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{HostKeys: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256}})
	known, err := os.ReadFile(w.srv.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(known), "\n")
	for name, c := range map[string]struct {
		before string
		args   []string
		same   bool // byte for byte; else the number of lines
		learns int  // lines, during the session
	}{
		"new":            {"", []string{"-o", "StrictHostKeyChecking=accept-new"}, true, 0},
		"new, unchecked": {"", []string{"-o", "StrictHostKeyChecking=no"}, true, 0},
		"hashed":         {"", []string{"-o", "StrictHostKeyChecking=accept-new", "-o", "HashKnownHosts=yes"}, false, 0},
		"learned":        {"# comment\n" + first + "\n", []string{"-o", "UpdateHostKeys=yes"}, true, 1},
		"known as other": {"# comment\n" + first + "\nother " + first[len("sshd "):] + "\n", []string{"-o", "UpdateHostKeys=yes"}, true, 0},
		"not learned":    {first + "\n", []string{"-o", "UpdateHostKeys=no"}, true, 0},
		"address":        {"", []string{"-o", "StrictHostKeyChecking=accept-new", "-o", "HostKeyAlias=none", "-o", "CheckHostIP=yes"}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var texts, said []string
			for _, program := range []string{gosshPath, "ssh"} {
				known := w.write("known", c.before)
				command := "echo in"
				if c.learns > 0 { // neither program puts off its end for that
					want := strings.Count(c.before, "\n") + c.learns
					command = fmt.Sprintf("until test $(wc -l <%s) -eq %d; do sleep 0.02; done; echo in", known, want)
				}
				args := append(slices.Clone(c.args), "-o", "UserKnownHostsFile="+known, "sshd", command)
				o := w.run(w.command(program, args...))
				o.want(t, 0, "in\n", nil)
				texts, said = append(texts, w.read("known")), append(said, o.stderr)
			}
			if (c.same && texts[0] != texts[1]) || strings.Count(texts[0], "\n") != strings.Count(texts[1], "\n") {
				t.Errorf("got\n%s\nssh\n%s", texts[0], texts[1])
			}
			if said[0] != said[1] {
				t.Errorf("said %q, ssh %q", said[0], said[1])
			}
		})
	}
}
