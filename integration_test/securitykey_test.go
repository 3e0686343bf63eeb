//go:build linux

package integration_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gossh-project/gossh/internal/testenv"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// withSecurityKey returns a world whose sshd accepts a FIDO key, and the path
// of the key.
func withSecurityKey(t *testing.T, kind string, options ...string) (w *world, file, provider string) {
	t.Helper()
	provider = testenv.SKProvider(t)
	file = testenv.EnrollSecurityKey(t, provider, kind, options...)
	w = withSSHD(t, opensshd.Options{})
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	w.authorize(string(public))
	w.pre = []string{"-F", w.configWithout("IdentityFile")}
	return w, file, provider
}

// TestSecurityKeyFile logs in with FIDO keys from files, and fails as ssh does.
func TestSecurityKeyFile(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ed25519-sk", "ecdsa-sk"} {
		w, file, provider := withSecurityKey(t, kind)
		for _, c := range []struct {
			name string
			args []string
			env  string
			want int
		}{
			{"good", []string{"-o", "SecurityKeyProvider=" + provider}, "A=b", 3},
			{"provider in the environment", []string{"-o", "SecurityKeyProvider=$PROVIDER"}, "PROVIDER=" + provider, 3},
			{"no library", []string{"-o", "SecurityKeyProvider=/dev/null"}, "A=b", 255},
			{"no provider", []string{"-o", "SecurityKeyProvider=none"}, "A=b", 255},
			{"variable not set", []string{"-o", "SecurityKeyProvider=$PROVIDER"}, "A=b", 255},
			{"no helper", []string{"-o", "SecurityKeyProvider=" + provider}, "SSH_SK_HELPER=/none/helper", 255},
			{"helper dies", []string{"-o", "SecurityKeyProvider=" + provider}, "SSH_SK_HELPER=/bin/false", 255},
		} {
			at := w.at(t)
			at.setenv(c.env)
			args := append(c.args, "-i", file, "sshd", "exit 3")
			got, want := at.run(at.gossh(args...)), at.run(at.ssh(args...))
			if got.status != c.want || want.status != c.want {
				t.Errorf("%s %s: want %d\ngot %v\nssh: %v", kind, c.name, c.want, got, want)
			}
			if c.name == "helper dies" { // the words are of the way that ssh talks to it
				if !strings.Contains(got.stderr, "signing failed for "+strings.ToUpper(kind)+` "`+file+`": `) {
					t.Errorf("said %q", got.stderr)
				}
				continue
			}
			got.stderr, want.stderr = sameWords(got.stderr), sameWords(want.stderr)
			compare(t, kind+" "+c.name, got, want)
		}
	}
}

// TestSecurityKeyQuestions: the touch is announced, by askpass or on the
// terminal, and the PIN is asked once the token wants it.
func TestSecurityKeyQuestions(t *testing.T) {
	t.Parallel()
	w, file, provider := withSecurityKey(t, "ed25519-sk")
	asked := w.path("asked")
	askpass := w.script("askpass", `echo "$SSH_ASKPASS_PROMPT: $1" >>`+asked+`; echo 1234`)
	// A token that first wants a PIN, once the touch was announced: the answer
	// is an error of code 43.
	helper := w.script("helper", `
lines=$(cat `+w.path("step")+`)
while [ "$(wc -l <`+asked+`)" -lt "$lines" ]; do sleep 0.05; done
if [ "$lines" = 1 ]; then
	echo 3 >`+w.path("step")+`
	n=$(head -c 4 | od -An -tu1 | awk '{ print $3 * 256 + $4 }')
	head -c "$n" >/dev/null
	printf '\000\000\000\011\005\000\000\000\000\000\000\000\053'
	exit 0
fi
exec `+skHelper(t))
	w.setenv("SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0", "SSH_SK_HELPER="+helper)
	args := []string{"-o", "BatchMode=no", "-o", "SecurityKeyProvider=" + provider, "-i", file, "sshd", "exit 3"}
	run := func(program func(...string) (out outcome)) (string, outcome) {
		w.write("step", "1\n")
		w.write("asked", "")
		out := program(args...)
		return w.read("asked"), out
	}
	got, ours := run(func(a ...string) outcome { return w.run(w.gossh(a...)) })
	want, theirs := run(func(a ...string) outcome { return w.run(w.ssh(a...)) })
	compare(t, "PIN", ours, theirs)
	if got != want || ours.status != 3 || !strings.Contains(got, "Enter PIN for ED25519-SK key "+file+": \n") ||
		strings.Count(got, "none: Confirm user presence for key ED25519-SK SHA256:") != 2 {
		t.Errorf("status %d, asked\n%sssh:\n%s", ours.status, got, want)
	}
}

func TestSecurityKeyTouchOnTerminal(t *testing.T) {
	t.Parallel()
	w, file, provider := withSecurityKey(t, "ecdsa-sk")
	s := w.onScreen(w.gossh("-o", "BatchMode=no", "-o", "SecurityKeyProvider="+provider, "-i", file, "sshd", "exit 3"))
	s.expect(`Confirm user presence for key ECDSA-SK SHA256:[^ \r]*\r+\nUser presence confirmed\r+\n`)
	s.wantEnd(3)
}

// skHelper returns the path of ssh-sk-helper of the installed OpenSSH.
func skHelper(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/libexec/ssh", "/usr/libexec"} {
		if _, err := os.Stat(dir + "/ssh-sk-helper"); err == nil {
			return dir + "/ssh-sk-helper"
		}
	}
	t.Skip("no ssh-sk-helper")
	return ""
}

// withSoftHSM returns a world with a PKCS#11 token that holds keys of the
// given kinds, and their public keys.
func withSoftHSM(t *testing.T, kinds ...string) (w *world, hsm *testenv.SoftHSM, public []string) {
	t.Helper()
	hsm = testenv.NewSoftHSM(t, "gossh test", "1234")
	for _, kind := range kinds {
		hsm.GenerateKey(kind, "key "+kind)
	}
	public = hsm.PublicKeys()
	if len(public) != len(kinds) {
		t.Fatalf("keys %q", public)
	}
	w = withSSHD(t, opensshd.Options{})
	askpass := w.script("askpass", `echo "$1" >>`+w.path("asked")+`; cat `+w.path("pin"))
	w.write("pin", "1234\n")
	w.setenv("SOFTHSM2_CONF="+hsm.Config, "SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	w.pre = []string{"-F", w.anyKey(), "-o", "IdentityAgent=none", "-o", "PreferredAuthentications=publickey"}
	return w, hsm, public
}

// asking runs a program and returns its outcome and the questions that the
// askpass program got.
func (w *world) asking(program string, args ...string) (outcome, string) {
	w.t.Helper()
	w.write("asked", "")
	out := w.run(w.command(program, args...))
	out.stderr = sameWords(out.stderr)
	return out, w.read("asked")
}

// TestPKCS11 logs in with keys of a token, in ssh's order.
func TestPKCS11(t *testing.T) {
	t.Parallel()
	w, hsm, public := withSoftHSM(t, "rsa:2048", "EC:prime256v1", "EC:secp384r1")
	for _, line := range []string{public[0], public[2]} {
		if err := os.WriteFile(w.srv.AuthorizedKeys, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(line, " ")
		listed := w.write("listed.pub", line+"\n")
		other := w.write("other.pub", public[(1+indexOf(public, line))%len(public)]+"\n")
		for _, c := range []struct {
			name string
			args []string
			want int
		}{
			{"-I", []string{"-I", hsm.Module}, 3},
			{"PKCS11Provider", []string{"-o", "PKCS11Provider=" + hsm.Module, "-i", "/none"}, 3},
			{"listed", []string{"-I", hsm.Module, "-i", listed}, 3},
			{"only what is listed", []string{"-I", hsm.Module, "-i", listed, "-o", "IdentitiesOnly=yes"}, 3},
			{"another is listed", []string{"-I", hsm.Module, "-i", other, "-o", "IdentitiesOnly=yes"}, 255},
			{"none", []string{"-I", "none", "-i", "/none"}, 255},
			{"no library", []string{"-I", "/dev/null", "-i", "/none"}, 255},
		} {
			args := append([]string{"-o", "BatchMode=no"}, append(c.args, "sshd", "exit 3")...)
			got, asked := w.asking(gosshPath, args...)
			want, _ := w.asking("ssh", args...)
			if got.status != c.want || want.status != c.want || c.want == 3 && got.stderr != want.stderr {
				t.Errorf("%s %s: want %d\ngot %v\nssh: %v", kind, c.name, c.want, got, want)
			}
			if c.want == 3 && asked != "Enter PIN for 'gossh test': \n" {
				t.Errorf("%s %s: asked %q", kind, c.name, asked)
			}
			if got, want := w.offers(gosshPath, args), w.offers("ssh", args); got != want {
				t.Errorf("%s %s: offered\n%sssh:\n%s", kind, c.name, got, want)
			}
		}
	}
}

func indexOf(list []string, what string) int {
	for i, s := range list {
		if s == what {
			return i
		}
	}
	return -1
}

// offers returns the keys that a program offers, in its order.
func (w *world) offers(program string, args []string) string {
	w.t.Helper()
	return w.linesWith(w.run(w.command(program, append([]string{"-v"}, args...)...)).stderr, "Offering public key: ")
}

// TestPKCS11Certificate: the private half of a certificate is on the token.
func TestPKCS11Certificate(t *testing.T) {
	t.Parallel()
	w, hsm, public := withSoftHSM(t, "EC:prime256v1")
	ca := w.keygen("ca", "-t", "ed25519")
	key := w.write("key.pub", public[0]+"\n")
	user := strings.TrimSpace(w.run(w.tool("id", "-un")).stdout)
	w.run(w.tool("ssh-keygen", "-q", "-s", ca, "-I", "id", "-n", user, key))
	if err := os.WriteFile(w.srv.AuthorizedKeys, []byte("cert-authority "+w.read("ca.pub")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-o", "BatchMode=no", "-I", hsm.Module, "-o", "CertificateFile=" + w.path("key-cert.pub"), "-i", "/none", "sshd", "exit 3"}
	got, asked := w.asking(gosshPath, args...)
	want, theirs := w.asking("ssh", args...)
	compare(t, "certificate", got, want)
	if asked != theirs || got.status != 3 {
		t.Errorf("%v\nasked %q, ssh %q", got, asked, theirs)
	}
}

// TestPKCS11PIN: a wrong PIN is tried once, and without a PIN the other keys
// remain.
func TestPKCS11PIN(t *testing.T) {
	t.Parallel()
	w, hsm, _ := withSoftHSM(t, "EC:prime256v1")
	args := []string{"-I", hsm.Module, "-i", w.srv.ClientKey, "sshd", "exit 3"}
	batch := append([]string{"-o", "BatchMode=yes"}, args...)
	args = append([]string{"-o", "BatchMode=no"}, args...)
	w.write("pin", "4321\n")
	out, asked := w.asking(gosshPath, args...)
	out.want(t, 3, "", ptr("PKCS#11 login failed: PIN incorrect\n"))
	if asked != "Enter PIN for 'gossh test': \n" {
		t.Errorf("asked %q", asked)
	}
	out, asked = w.asking(gosshPath, batch...)
	if out.want(t, 3, "", ptr("pin required\n")); asked != "" {
		t.Errorf("BatchMode: asked %q", asked)
	}
	w.setenv("SSH_PKCS11_HELPER=/none/helper")
	out, asked = w.asking(gosshPath, args...)
	if out.want(t, 3, "", ptr("start_helper: helper \"/none/helper\" unusable: No such file or directory\n")); asked != "" {
		t.Errorf("no helper: asked %q", asked)
	}
}

func ptr(s string) *string { return &s }
