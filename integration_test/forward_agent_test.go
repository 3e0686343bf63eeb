//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// fingerprint returns the fingerprint of a key file, as ssh-add -l shows it.
func (w *world) fingerprint(key string) string {
	w.t.Helper()
	return strings.Fields(w.run(w.tool("ssh-keygen", "-l", "-f", key)).stdout)[1]
}

// withTwoKeys returns a world whose agent holds the keys "shown" and "hidden".
// cfg is a configuration that logs in with a third key, and onward a command
// that connects from the server with the keys of the agent.
func withTwoKeys(t *testing.T) (w *world, cfg, onward string) {
	t.Helper()
	w = withSSHD(t, opensshd.Options{})
	w.agent(w.keygen("shown", "-t", "ed25519"), w.keygen("hidden", "-t", "ed25519"))
	w.authorize(w.read("shown.pub"), w.read("hidden.pub"))
	cfg = w.anyKey("IdentityFile " + w.srv.ClientKey)
	return w, cfg, "ssh -F " + w.anyKey("IdentityFile none", "PreferredAuthentications publickey") + " sshd 'echo onward'"
}

func TestAgentKeys(t *testing.T) {
	t.Parallel()
	w, cfg, onward := withTwoKeys(t)
	// The policy is about one of the two, in each way of naming it.
	for _, name := range []string{w.fingerprint(w.path("shown")), w.path("shown.pub"), "~/shown.pub", "shown"} {
		limit := "ForwardAgentKeys=" + name
		o := w.run(w.gossh("-F", cfg, "-A", "-o", limit, "sshd", "ssh-add -l"))
		if !strings.Contains(o.stdout, " shown ") || strings.Contains(o.stdout, "hidden") || o.stderr != "" {
			t.Errorf("%s: %v", limit, o)
		}
		w.run(w.gossh("-F", cfg, "-A", "-o", limit, "sshd", onward)).want(t, 0, "onward\n", silent())
		// A host that knows of the other key does not get its signature.
		with := strings.Replace(onward, "ssh ", "ssh -o IdentitiesOnly=yes -i "+w.path("hidden.pub")+" ", 1)
		o = w.run(w.gossh("-F", cfg, "-A", "-o", limit, "-o", "LogLevel=VERBOSE", "sshd", with))
		if o.status == 0 || strings.Contains(o.stdout, "onward") {
			t.Errorf("%s: the hidden key: %v", limit, o)
		}
		o = w.run(w.gossh("-F", cfg, "-A", "-o", limit, "sshd", "ssh-add -D; ssh-add -d "+w.path("shown.pub")))
		if !strings.Contains(w.agentList(), "shown") {
			t.Fatalf("%s: the host has removed a key: %v", limit, o)
		}
	}
	for _, bad := range []string{"SHA256:short", "/nosuch/key.pub"} {
		o := w.run(w.gossh("-F", cfg, "-A", "-o", "ForwardAgentKeys="+bad, "sshd", "ssh-add -l"))
		if o.status != 255 || o.stdout != "" || !strings.HasPrefix(o.stderr, "ForwardAgentKeys: ") {
			t.Errorf("%s: %v", bad, o)
		}
	}
}

func TestAgentLog(t *testing.T) {
	t.Parallel()
	w, cfg, onward := withTwoKeys(t)
	log := w.path("agent.log")
	w.run(w.gossh("-F", cfg, "-A", "-o", "ForwardAgentLog="+log, "sshd", "ssh-add -l >/dev/null; "+onward)).want(t, 0, "onward\n", silent())
	text := w.read("agent.log")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, want := range []string{"op=sign", "outcome=done", "host=\"127.0.0.1\"", w.fingerprint(w.path("shown")), "purpose=userauth", "user=\"" + w.srv.User + "\"", "hostkey=SHA256:"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %s in %q", want, text)
		}
	}
	if info, err := os.Stat(log); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A log alone takes nothing away.
	w.run(w.gossh("-F", cfg, "-A", "-o", "ForwardAgentLog="+log, "sshd", "ssh-add -q -d "+w.path("hidden.pub")))
	if strings.Contains(w.agentList(), "hidden") {
		t.Error("a key was not removed")
	}
	o := w.run(w.gossh("-F", cfg, "-A", "-o", "ForwardAgentLog="+w.home, "sshd", "true"))
	if o.status != 255 || !strings.HasPrefix(o.stderr, "ForwardAgentLog: "+w.home+": ") {
		t.Errorf("a folder as log: %v", o)
	}
}

// TestAgentConfirm: each signature is asked for, in the middle of the session.
func TestAgentConfirm(t *testing.T) {
	t.Parallel()
	w, cfg, onward := withTwoKeys(t)
	w.setenv("SSH_ASKPASS_REQUIRE=prefer") // without a display that changes nothing
	s := w.onScreen(w.gossh("-F", cfg, "-A", "-o", "ForwardAgentConfirm=yes", "-o", "ForwardAgentKeys=shown", "sshd"))
	s.expect(`remote\$ `)
	question := fmt.Sprintf(`\x1b\[0m\r\n\x1b\[JAllow 127\.0\.0\.1 to use key "shown" \(%s\) to log in as "%s"\?\r\nThe host to log in to has the key SHA256:\S+\r\nAnswer \(yes/no/never\): $`,
		regexp.QuoteMeta(w.fingerprint(w.path("shown"))), w.srv.User)
	for _, c := range []struct{ answer, then string }{
		{"no\r", `Permission denied`},
		{"yes\r", `\r\nonward\r\n`},
		{"\r", `Permission denied`},
		{"\x03", `Permission denied`},
		{"yes\r", `\r\nonward\r\n`},
	} {
		s.send(onward + "\r")
		s.expect(question)
		if isRaw(s.modes()) {
			t.Error("raw at the question")
		}
		s.send(c.answer)
		s.expect(c.then)
		s.untilModes("raw", isRaw)
		s.expect(`remote\$ `)
	}
	// A name that a remote program makes up stays in its quotes.
	s.send(`echo x | ssh-keygen -Y sign -n "$(printf 'a\rb\033[8m')" -f ` + w.path("shown.pub") + "\r")
	s.expect(` to sign for "a\\rb\\x1b\[8m"\?\r\n`)
	s.expect(`Answer \(yes/no/never\): $`)
	s.send("never\r")
	s.expect(`every further use of the agent through this connection is refused`)
	s.expect(`remote\$ `)
	s.send(onward + "\r")
	s.expect(`Permission denied`)
	s.expect(`remote\$ `)
	s.send("exit\r")
	s.wait()
	// Without a terminal it is askpass's business, or a no.
	args := []string{"-F", cfg, "-A", "-o", "ForwardAgentConfirm=yes", "sshd", onward}
	o := w.run(w.gossh(args...))
	if o.status == 0 || strings.Contains(o.stdout, "onward") {
		t.Errorf("no way to ask: %v", o)
	}
	asked := w.path("asked")
	askpass := w.script("askpass", "echo \"$SSH_ASKPASS_PROMPT: $1\" >>"+asked)
	w.setenv("SSH_ASKPASS="+askpass, "DISPLAY=:0")
	w.run(w.gossh(args...)).want(t, 0, "onward\n", silent())
	if got := w.read("asked"); !strings.HasPrefix(got, `confirm: Allow 127.0.0.1 to use key "shown" `) {
		t.Errorf("askpass was asked %q", got)
	}
}

// TestAgentSources: which agent is forwarded, and none where none answers.
func TestAgentSources(t *testing.T) {
	t.Parallel()
	w, cfg, _ := withTwoKeys(t)
	var socket string
	for _, v := range w.env {
		if s, ok := strings.CutPrefix(v, "SSH_AUTH_SOCK="); ok {
			socket = s
		}
	}
	const script = "echo ${SSH_AUTH_SOCK:+forwarded}"
	w.setenv("OTHER=" + socket)
	for _, args := range [][]string{
		{"-A", "sshd", script},
		{"-o", "ForwardAgent=yes", "sshd", script},
		{"-o", "ForwardAgent=" + socket, "sshd", script},
		{"-o", "ForwardAgent=$OTHER", "sshd", script},
		{"-o", "ForwardAgent=$UNSET_HERE", "sshd", script},
		{"-A", "-o", "IdentityAgent=none", "sshd", script},
		{"-o", "ForwardAgent=" + socket, "-a", "sshd", script},
		{"-a", "-o", "ForwardAgent=" + socket, "sshd", script},
		{"-A", "-a", "sshd", script},
	} {
		w.likeSSH(t, append([]string{"-F", cfg}, args...))
	}
	w.setenv("SSH_AUTH_SOCK=/nosuch/agent")
	w.likeSSH(t, []string{"-F", cfg, "-A", "sshd", script})
	w.likeSSH(t, []string{"-F", cfg, "-A", "-o", "IdentityAgent=" + socket, "sshd", script})
	// Here ssh looks at the agent of authentication, and forwards none.
	w.run(w.gossh("-F", cfg, "-o", "ForwardAgent="+socket, "sshd", script)).want(t, 0, "forwarded\n", silent())
}

// TestAgentRestricted: a key that may be used for certain hosts alone
// (ssh-add -h), through the forwarded agent.
func TestAgentRestricted(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	w.agent()
	near, far := w.keygen("near", "-t", "ed25519"), w.keygen("far", "-t", "ed25519")
	w.authorize(w.read("near.pub"), w.read("far.pub"))
	add := func(key string, limits ...string) {
		args := []string{"-q", "-H", w.srv.KnownHosts}
		for _, l := range limits {
			args = append(args, "-h", l)
		}
		w.run(w.tool("ssh-add", append(args, key)...)).want(t, 0, "", nil)
	}
	add(near, "sshd")
	add(far, "sshd", "sshd>sshd")
	cfg := w.anyKey("PreferredAuthentications publickey")
	with := func(key string) []string { return []string{"-F", cfg, "-o", "IdentitiesOnly=yes", "-i", key + ".pub"} }
	for _, key := range []string{near, far} {
		w.run(w.gossh(append(with(key), "sshd", "echo in")...)).want(t, 0, "in\n", silent())
		// The agent wants publickey-hostbound of whoever goes onward, which
		// x/crypto does not have: so there it is ssh.
		onward := "ssh " + strings.Join(with(key), " ") + " sshd 'echo onward'"
		o := w.run(w.gossh(append(with(far), "-A", "sshd", onward)...))
		if onwards := o.status == 0 && o.stdout == "onward\n"; onwards != (key == far) {
			t.Errorf("onward with %s: %v", key, o)
		}
	}
}
