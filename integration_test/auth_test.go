//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// agent starts a real ssh-agent for the test, with keys, and sets
// SSH_AUTH_SOCK.
func (w *world) agent(keys ...string) {
	w.t.Helper()
	need(w.t, "ssh-agent", "ssh-add")
	dir, err := os.MkdirTemp("", "a") // the path of a socket must be short
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	socket := dir + "/s"
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	eventually(w.t, "the agent listens", func() bool { // it binds first, and may be slow to listen
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	w.setenv("SSH_AUTH_SOCK=" + socket)
	for _, key := range keys {
		add := exec.Command("ssh-add", "-q", key)
		add.Env = w.env
		if out, err := add.CombinedOutput(); err != nil {
			w.t.Fatalf("ssh-add %s: %v\n%s", key, err, out)
		}
	}
}

func (w *world) agentList() string {
	w.t.Helper()
	cmd := exec.Command("ssh-add", "-l")
	cmd.Env = w.env
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// authorize appends lines to the authorized_keys of the server.
func (w *world) authorize(lines ...string) {
	w.t.Helper()
	f, err := os.OpenFile(w.srv.AuthorizedKeys, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for _, line := range lines {
		fmt.Fprintln(f, strings.TrimSpace(line))
	}
}

// anyKey writes a configuration for the server without its lines about keys
// and agents, and with the given lines, and returns its path.
func (w *world) anyKey(more ...string) string {
	w.configWithout("IdentityFile")
	var b strings.Builder
	for line := range strings.Lines(w.read("config_without_IdentityFile")) {
		if !strings.Contains(line, "Identit") {
			b.WriteString(line)
		}
	}
	name := fmt.Sprintf("config_%x", len(more)+len(strings.Join(more, "")))
	return w.write(name, b.String()+strings.Join(more, "\n")+"\n")
}

func TestKeyTypes(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	w.agent()
	cfg := w.anyKey("IdentityAgent none")
	keys := []string{
		w.keygen("ed25519", "-t", "ed25519"),
		w.keygen("ecdsa256", "-t", "ecdsa", "-b", "256"),
		w.keygen("ecdsa521", "-t", "ecdsa", "-b", "521"),
		w.keygen("rsa", "-t", "rsa", "-b", "2048"),
		w.keygen("rsa_pem", "-t", "rsa", "-b", "2048", "-m", "PEM"),
		w.keygen("ecdsa_pkcs8", "-t", "ecdsa", "-m", "PKCS8"),
	}
	for _, key := range keys {
		pub, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		w.authorize(string(pub))
		w.run(w.gossh("-F", cfg, "-i", key, "sshd", "echo in")).want(t, 0, "in\n", silent())
	}
	// RSA signs with SHA-2: this sshd refuses SHA-1.
	o := w.run(w.gossh("-F", cfg, "-i", keys[3], "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256", "sshd", "echo in"))
	o.want(t, 0, "in\n", silent())
	w.srv.WaitLog("Accepted publickey for " + w.srv.User + " from 127.0.0.1")
	// The same keys from the agent alone.
	for _, key := range keys {
		add := exec.Command("ssh-add", "-q", key)
		add.Env = w.env
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v\n%s", err, out)
		}
		os.Remove(key)
		o := w.run(w.gossh("-F", w.anyKey(), "-o", "IdentitiesOnly=yes", "-i", key+".pub", "sshd", "echo in"))
		o.want(t, 0, "in\n", silent())
	}
}

func TestKeyPermissions(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	key := w.keygen("open", "-t", "ed25519")
	w.authorize(w.read("open.pub"))
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o700} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		args := []string{"-F", w.anyKey("IdentityAgent none"), "-o", "IdentitiesOnly=yes", "-i", key, "sshd", "echo in"}
		got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
		got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
		compare(t, fmt.Sprintf("mode %o", mode), got, want)
	}
	w.write("nokey", "nonsense\n")
	args := []string{"-F", w.anyKey("IdentityAgent none"), "-o", "IdentitiesOnly=yes", "-i", w.path("nokey"), "sshd", "echo in"}
	got, want := w.run(w.gossh(args...)), w.run(w.ssh(args...))
	got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
	want.stderr = strings.ReplaceAll(want.stderr, "error in libcrypto", "invalid format") // a library's name
	compare(t, "no key", got, want)
}

// certified makes a key with a certificate of a CA that the server trusts, and
// the CA if there is none. It returns the path of the key.
func (w *world) certified(name string, args ...string) string {
	w.t.Helper()
	if _, err := os.Stat(w.path("ca")); err != nil {
		w.keygen("ca", "-t", "ed25519")
		w.authorize("cert-authority " + w.read("ca.pub"))
	}
	key := w.keygen(name, append([]string{"-t"}, args...)...)
	sign := exec.Command("ssh-keygen", "-q", "-s", w.path("ca"), "-I", name, "-n", w.srv.User, key+".pub")
	if out, err := sign.CombinedOutput(); err != nil {
		w.t.Fatalf("ssh-keygen -s: %v\n%s", err, out)
	}
	return key
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	w.agent()
	cfg := w.anyKey("IdentityAgent none", "IdentitiesOnly yes")
	for _, kind := range [][]string{{"ed25519"}, {"ecdsa"}, {"rsa", "-b", "2048"}} {
		key := w.certified("user_"+kind[0], kind...)
		w.run(w.gossh("-F", cfg, "-i", key, "sshd", "echo in")).want(t, 0, "in\n", silent())
		elsewhere := w.path("elsewhere_" + kind[0])
		if err := os.Rename(key+"-cert.pub", elsewhere); err != nil {
			t.Fatal(err)
		}
		o := w.run(w.gossh("-F", cfg, "-i", key, "sshd", "echo in"))
		if o.status != 255 {
			t.Errorf("in without the certificate: %v", o)
		}
		w.run(w.gossh("-F", cfg, "-i", key, "-o", "CertificateFile="+elsewhere, "sshd", "echo in")).want(t, 0, "in\n", silent())
		// The private half may be in the agent.
		add := exec.Command("ssh-add", "-q", key)
		add.Env = w.env
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v\n%s", err, out)
		}
		os.Remove(key)
		o = w.run(w.gossh("-F", w.anyKey(), "-i", key+".pub", "-o", "IdentitiesOnly=yes", "-o", "CertificateFile="+elsewhere, "sshd", "echo in"))
		o.want(t, 0, "in\n", silent())
	}
}

// TestOrderOfKeys compares the order in which keys are offered: servers count
// them, and the first that fits is what the log says.
func TestOrderOfKeys(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{Extra: "MaxAuthTries 100\n"})
	a := w.keygen("a", "-t", "ed25519")
	b := w.keygen("b", "-t", "ecdsa")
	c := w.keygen("c", "-t", "rsa", "-b", "2048")
	d := w.keygen("d", "-t", "ed25519")
	e := w.keygen("e", "-t", "ed25519")
	certified := w.certified("f", "ed25519")
	// Nobody trusts this CA here: all is offered, nothing accepted.
	os.WriteFile(w.srv.AuthorizedKeys, nil, 0o600)
	encrypted := w.path("g")
	if out, err := exec.Command("ssh-keygen", "-q", "-N", "secret", "-t", "ed25519", "-C", "g", "-f", encrypted).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pubOnly := w.keygen("h", "-t", "ed25519")
	w.agent(d, b, certified, pubOnly)
	os.Remove(pubOnly)
	cfg := w.anyKey()
	for name, args := range map[string][]string{
		"agent alone":                {},
		"files":                      {"-i", a, "-i", c},
		"files in the agent too":     {"-i", a, "-i", b, "-i", d, "-i", e},
		"IdentitiesOnly":             {"-o", "IdentitiesOnly=yes", "-i", a, "-i", b, "-i", e},
		"IdentitiesOnly, public":     {"-o", "IdentitiesOnly=yes", "-i", pubOnly + ".pub", "-i", a},
		"IdentitiesOnly, no file":    {"-o", "IdentitiesOnly=yes", "-i", pubOnly, "-i", a},
		"no agent":                   {"-o", "IdentityAgent=none", "-i", e, "-i", a, "-i", c},
		"certificate beside":         {"-i", certified, "-i", a},
		"certificate, no agent":      {"-o", "IdentityAgent=none", "-i", a, "-i", certified},
		"CertificateFile":            {"-i", a, "-o", "CertificateFile=" + certified + "-cert.pub"},
		"CertificateFile and key":    {"-o", "IdentityAgent=none", "-i", a, "-i", certified, "-o", "CertificateFile=" + certified + "-cert.pub"},
		"CertificateFile, only":      {"-o", "IdentitiesOnly=yes", "-i", certified, "-o", "CertificateFile=" + certified + "-cert.pub"},
		"encrypted":                  {"-o", "IdentityAgent=none", "-i", encrypted, "-i", a},
		"twice":                      {"-i", a, "-i", a, "-i", b, "-i", b},
		"algorithms":                 {"-i", a, "-i", b, "-i", c, "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-512,ecdsa-sha2-nistp256"},
		"algorithms, certificate":    {"-i", certified, "-i", a, "-o", "PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com"},
		"large keys only":            {"-i", c, "-i", a, "-o", "RequiredRSASize=4096"},
		"through the configuration":  {"-o", "IdentityFile=" + e, "-o", "IdentityFile=" + a},
		"flag and configuration":     {"-o", "IdentityFile=" + e, "-i", a},
		"missing files":              {"-o", "IdentityFile=" + w.path("none"), "-i", a},
		"publickey off":              {"-o", "PubkeyAuthentication=no", "-i", a},
		"a certificate as the -i":    {"-o", "IdentityAgent=none", "-i", certified + "-cert.pub", "-i", a},
		"the agent by IdentityAgent": {"-o", "IdentityAgent=SSH_AUTH_SOCK", "-i", a},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Concat([]string{"-v", "-F", cfg}, args, []string{"sshd", "true"})
			ours, theirs := w.run(w.gossh(args...)), w.run(w.ssh(args...))
			for _, what := range []string{"Offering public key: ", "Trying private key: "} {
				if name == "large keys only" && what[0] == 'T' {
					continue // ssh opens the file once more to see that it is too small
				}
				got, want := w.linesWith(ours.stderr, what), certificatesFirst(w.linesWith(theirs.stderr, what))
				if got != want {
					t.Errorf("got\n%s\nssh\n%s", got, want)
				}
			}
		})
	}
}

// certificatesFirst rewrites the order of ssh 9.2 for keys of the agent that
// no option names to the order of 10.5.
func certificatesFirst(lines string) string {
	rank := func(line string) int {
		switch {
		case !strings.HasSuffix(line, " agent") || strings.HasSuffix(line, " explicit agent"):
			return -1
		case strings.Contains(line, "-CERT "):
			return 0
		}
		return 1
	}
	all := strings.SplitAfter(lines, "\n")
	var places []int
	var unnamed []string
	for i, line := range all {
		if rank(strings.TrimSpace(line)) >= 0 {
			places, unnamed = append(places, i), append(unnamed, line)
		}
	}
	slices.SortStableFunc(unnamed, func(a, b string) int { return rank(strings.TrimSpace(a)) - rank(strings.TrimSpace(b)) })
	for i, place := range places {
		all[place] = unnamed[i]
	}
	return strings.Join(all, "")
}

// linesWith returns the lines of -v that begin with a text, with short
// fingerprints and paths, and without default keys that do not exist.
func (w *world) linesWith(text, what string) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^debug1: (`+regexp.QuoteMeta(what)+`.*?)\s*$`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "/.ssh/") {
			line := strings.ReplaceAll(m[1], w.home+"/", "")
			b.WriteString(regexp.MustCompile(`(SHA256:.{8})\S*`).ReplaceAllString(line, "$1") + "\n")
		}
	}
	return b.String()
}

func TestAddKeysToAgent(t *testing.T) {
	t.Parallel()
	w := withSSHD(t, opensshd.Options{})
	key := w.keygen("added", "-t", "ed25519")
	w.authorize(w.read("added.pub"))
	w.agent()
	cfg := w.anyKey()
	for _, c := range []struct {
		value string
		added bool
	}{{"no", false}, {"ask", false}, {"yes", true}} {
		o := w.run(w.gossh("-F", cfg, "-i", key, "-o", "AddKeysToAgent="+c.value, "sshd", "echo in"))
		o.want(t, 0, "in\n", nil)
		if list := w.agentList(); strings.Contains(list, " added (") != c.added {
			t.Errorf("AddKeysToAgent %s: the agent has %q, the program said %q", c.value, list, o.stderr)
		}
	}
}

// TestKnownHostsTogether: clients that add at once lose nothing.
func TestKnownHostsTogether(t *testing.T) {
	t.Parallel()
	w, srv := withServer(t, sshtest.Options{Users: []sshtest.User{{Name: "test", None: true}},
		Handler: sshtest.Say("in\n", "", sshtest.Exit{})}, "StrictHostKeyChecking accept-new")
	w.write("known_hosts", "")
	n := 8
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			o := w.run(w.gossh("-o", fmt.Sprintf("HostKeyAlias=host%d", i), "sshtest", "command"))
			o.want(t, 0, "in\n", nil)
		})
	}
	all.Wait()
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(srv.HostKey())))
	lines := strings.Split(strings.TrimSpace(w.read("known_hosts")), "\n")
	slices.Sort(lines)
	for i := range n {
		if want := fmt.Sprintf("host%d %s", i, key); len(lines) != n || lines[i] != want {
			t.Fatalf("%d lines, want %q:\n%s", len(lines), want, w.read("known_hosts"))
		}
	}
}
