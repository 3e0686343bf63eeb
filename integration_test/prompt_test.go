//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestHostKeyQuestion(t *testing.T) {
	t.Parallel()
	key, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := ssh.FingerprintSHA256(key.PublicKey())
	for _, c := range []struct {
		name   string
		typed  []string
		status int
		added  bool
	}{
		{"yes", []string{"yes"}, 0, true},
		{"no", []string{"no"}, 255, false},
		{"empty", []string{""}, 255, false},
		{"fingerprint", []string{fingerprint}, 0, true},
		{"nonsense, then YES", []string{"maybe", "y", "YES"}, 0, true},
		{"another fingerprint, then no", []string{"SHA256:none", "no"}, 255, false},
	} {
		for _, program := range []string{gosshPath, "ssh"} {
			t.Run(c.name+"/"+program[strings.LastIndex(program, "/")+1:], func(t *testing.T) {
				t.Parallel()
				w, srv := withServer(t, sshtest.Options{HostKeys: []ssh.Signer{key}, Handler: sshtest.Say("output\n", "", sshtest.Exit{}),
					Users: []sshtest.User{{Name: "test", None: true}}}, "StrictHostKeyChecking ask")
				known := w.write("known_hosts", "")
				s := w.onScreen(w.command(program, "sshtest"))
				s.expect(fmt.Sprintf(`The authenticity of host '\[127\.0\.0\.1\]:%d \(\[127\.0\.0\.1\]:%[1]d\)' can't be established\.\r\n`, srv.Port()))
				s.expect(regexp.QuoteMeta("ED25519 key fingerprint is "+fingerprint) + `\.\r\nThis key is not known by any other names\.\r\n`)
				s.expect(`Are you sure you want to continue connecting \(yes/no/\[fingerprint\]\)\? $`)
				for i, text := range c.typed {
					if i > 0 {
						s.expect(`Please type 'yes', 'no' or the fingerprint: $`)
					}
					s.send(text + "\n")
				}
				if c.status == 0 {
					s.expect(fmt.Sprintf(`Warning: Permanently added '\[127\.0\.0\.1\]:%d' \(ED25519\) to the list of known hosts\.\r`, srv.Port()))
				} else {
					s.expect(`Host key verification failed\.\r`)
				}
				s.wantEnd(c.status)
				text, err := os.ReadFile(known)
				if err != nil || (len(text) > 0) != c.added {
					t.Errorf("known_hosts has %q", text)
				}
			})
		}
	}
}

// passwordServer returns options of a server that accepts a password and
// prints a line.
func passwordServer() sshtest.Options {
	return sshtest.Options{Users: []sshtest.User{{Name: "test", Password: "secret"}},
		Handler: sshtest.Say("output\n", "", sshtest.Exit{})}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	w, srv := withServer(t, passwordServer())
	s := w.onScreen(w.gossh("sshtest", "command"))
	before := s.before
	s.expect(`\rtest@127\.0\.0\.1's password: `)
	s.untilModes("without echo", noEcho)
	s.send("wrong\n")
	s.expect(`Permission denied, please try again\.\r`)
	s.expect(`test@127\.0\.0\.1's password: `)
	s.untilModes("without echo", noEcho)
	s.send("secret\n")
	s.expect(`output\r\n`)
	s.wantEnd(0)
	if s.modes() != before || strings.Contains(s.text(), "secret") {
		t.Errorf("modes %+v, before %+v; %q", s.modes(), before, s.text())
	}
	if n := len(srv.Attempts()); n != 3 { // none, wrong, right
		t.Errorf("attempts: %+v", srv.Attempts())
	}
}

// TestPasswordLikeSSH compares a whole conversation on the terminal.
func TestPasswordLikeSSH(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]string{
		"wrong three times": {"a", "b", "c"},
		"right":             {"secret"},
		"empty, then right": {"", "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := withServer(t, passwordServer())
			var texts []string
			var statuses []int
			for _, program := range []string{gosshPath, "ssh"} {
				s := w.onScreen(w.command(program, "sshtest", "command"))
				for _, a := range answers {
					s.expect(`password: $`)
					s.untilModes("without echo", noEcho)
					s.send(a + "\n")
				}
				statuses = append(statuses, s.wait())
				s.send("behind\n")
				s.expect("behind\r\n")
				text, _, _ := strings.Cut(s.text(), "Tried: ")
				texts = append(texts, strings.TrimSuffix(text, "behind\r\n"))
			}
			if texts[0] != texts[1] || statuses[0] != statuses[1] {
				t.Errorf("got %d %q\nssh %d %q", statuses[0], texts[0], statuses[1], texts[1])
			}
		})
	}
}

// TestPasswordEndOfInput: after an end of input the question is not repeated. ssh
// would send three empty passwords.
func TestPasswordEndOfInput(t *testing.T) {
	t.Parallel()
	w, srv := withServer(t, passwordServer())
	s := w.onScreen(w.gossh("sshtest", "command"))
	s.expect(`password: `)
	s.untilModes("without echo", noEcho)
	s.send("\x04")
	s.expect(`test@127\.0\.0\.1: Permission denied \(password\)\.`)
	s.wantEnd(255)
	if n := len(srv.Attempts()); n != 1 {
		t.Errorf("attempts: %+v", srv.Attempts())
	}
}

func TestKeyboardInteractive(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{
		Users: []sshtest.User{{Name: "test", Password: "secret",
			Rounds: []sshtest.Round{{
				Name: "A title", Instruction: "Two questions.",
				Prompts: []sshtest.Prompt{{Text: "Shown: ", Echo: true, Answer: "yes"}, {Text: "Hid\x1bden: ", Answer: "no"}},
			}},
			Sequence: []string{"keyboard-interactive", "password"}}},
		Handler: sshtest.Say("output\n", "", sshtest.Exit{}),
	})
	for _, program := range []string{gosshPath, "ssh"} {
		s := w.onScreen(w.command(program, "sshtest", "command"))
		s.expect(`A title\r`)
		s.expect(`Two questions\.\r`)
		s.expect(`\(test@127\.0\.0\.1\) Shown: `)
		s.send("yes\n")
		s.expect(`yes\r\n`)
		s.expect(`\(test@127\.0\.0\.1\) Hid\\033den: `)
		s.untilModes("without echo", noEcho)
		s.send("no\n")
		s.expect(`test@127\.0\.0\.1's password: `) // partial success
		s.untilModes("without echo", noEcho)
		s.send("secret\n")
		s.expect(`output\r\n`)
		s.wantEnd(0)
		if strings.Contains(s.text(), "no\r\n") || strings.Contains(s.text(), "secret") {
			t.Errorf("echoed: %q", s.text())
		}
	}
}

// withEncryptedKeys returns a world with keys in several formats, all with the
// passphrase "open sesame", and the path of a configuration that names none.
func withEncryptedKeys(t *testing.T) (w *world, cfg string, keys []string) {
	t.Helper()
	need(t, "openssl")
	w = withSSHD(t, opensshd.Options{})
	keygen := func(name string, args ...string) string {
		return w.keygen(name, append([]string{"-N", "open sesame"}, args...)...)
	}
	plain := w.keygen("plain", "-t", "ecdsa", "-m", "PEM")
	fromOpenSSL := w.path("openssl")
	o := w.run(w.tool("openssl", "pkcs8", "-topk8", "-in", plain, "-out", fromOpenSSL, "-passout", "pass:open sesame"))
	if o.status != 0 {
		t.Fatalf("openssl: %v", o)
	}
	if err := os.Chmod(fromOpenSSL, 0o600); err != nil {
		t.Fatal(err)
	}
	w.write("openssl.pub", w.read("plain.pub"))
	keys = []string{
		keygen("openssh", "-t", "ed25519", "-a", "1"),
		keygen("openssh_rounds", "-t", "ecdsa", "-a", "1"),
		keygen("pem", "-t", "rsa", "-b", "2048", "-m", "PEM"),
		keygen("pkcs8", "-t", "rsa", "-b", "2048", "-m", "PKCS8"),
		fromOpenSSL,
	}
	for _, key := range keys {
		w.authorize(w.read(filepath.Base(key) + ".pub"))
	}
	cfg = w.configWithout("IdentityFile")
	w.write(filepath.Base(cfg), strings.ReplaceAll(w.read(filepath.Base(cfg)), "BatchMode yes", "BatchMode no"))
	return w, cfg, keys
}

// TestPassphrase: the passphrase of a key is asked for until it is right, with
// and without the public key beside it.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	w, cfg, keys := withEncryptedKeys(t)
	for _, key := range keys {
		for _, withPub := range []bool{true, false} {
			name := filepath.Base(key)
			if !withPub {
				name += " alone"
				os.Remove(key + ".pub")
			}
			t.Run(name, func(t *testing.T) {
				w := w.at(t)
				s := w.onScreen(w.gossh("-F", cfg, "-i", key, "sshd", "echo in"))
				for _, typed := range []string{"wrong", "wrong again", "open sesame"} {
					s.expect(regexp.QuoteMeta("Enter passphrase for key '" + key + "': "))
					s.untilModes("without echo", noEcho)
					s.send(typed + "\n")
				}
				s.expect(`in\r\n`)
				s.wantEnd(0)
			})
		}
	}
}

// TestPassphraseNeverRight: three wrong passphrases end as with ssh.
func TestPassphraseNeverRight(t *testing.T) {
	t.Parallel()
	w, cfg, keys := withEncryptedKeys(t)
	var texts []string
	for _, program := range []string{gosshPath, "ssh"} {
		s := w.onScreen(w.command(program, "-F", cfg, "-i", keys[0], "sshd", "echo in"))
		for range 3 {
			s.expect(`Enter passphrase for key '.*': $`)
			s.untilModes("without echo", noEcho)
			s.send("wrong\n")
		}
		s.expect(`Permission denied \(publickey.*\)\.\r`)
		s.wantEnd(255)
		text, _, _ := strings.Cut(s.text(), "Tried: ")
		texts = append(texts, strings.TrimSpace(text))
	}
	if texts[0] != texts[1] {
		t.Errorf("got %q\nssh %q", texts[0], texts[1])
	}
}

// TestPromptsOnTTY: a question never goes into a pipe.
func TestPromptsOnTTY(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, sshtest.Options{Users: passwordServer().Users, Handler: sshtest.Cat})
	var out, errs strings.Builder
	cmd := w.gossh("sshtest", "command")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("through\n"), &out, &errs
	s := w.onScreen(cmd)
	s.expect(`test@127\.0\.0\.1's password: `)
	s.untilModes("without echo", noEcho)
	s.send("secret\n")
	s.wantEnd(0)
	if out.String() != "through\n" || errs.String() != "" {
		t.Errorf("stdout %q, stderr %q", out.String(), errs.String())
	}
}

func TestAskpass(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, passwordServer())
	askpass := w.script("askpass", "echo \"$1\" >>"+w.path("asked")+"\necho secret")
	w.setenv("SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force")
	w.run(w.gossh("sshtest", "command")).want(t, 0, "output\n", silent())
	s := w.onScreen(w.gossh("sshtest", "command"))
	s.expect(`output\r\n`)
	s.wantEnd(0)
	if got := w.read("asked"); got != strings.Repeat("test@127.0.0.1's password: \n", 2) {
		t.Errorf("asked %q", got)
	}
	// Nobody to ask: no terminal, no askpass, or BatchMode.
	for _, args := range [][]string{{}, {"-o", "BatchMode=yes"}} {
		if len(args) == 0 {
			w.setenv("SSH_ASKPASS=/none", "SSH_ASKPASS_REQUIRE=never")
		}
		o := w.run(w.gossh(append(args, "sshtest", "command")...))
		if o.status != 255 || o.stdout != "" || sameWords(o.stderr) != "test@127.0.0.1: Permission denied (password).\n" {
			t.Errorf("%v: %v", args, o)
		}
	}
}

func TestBatchModeNeverAsks(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, passwordServer(), "BatchMode yes", "StrictHostKeyChecking ask")
	s := w.onScreen(w.gossh("sshtest", "command"))
	s.expect(`Permission denied \(password\)`)
	s.wantEnd(255)
	w.write("known_hosts", "")
	s = w.onScreen(w.gossh("sshtest", "command"))
	s.expect(`Host key verification failed\.`)
	s.wantEnd(255)
}

// TestInterruptedPrompt: ^C at a question ends the program by its signal, as
// it ends ssh (which is not compared: a signal just before its read waits for
// the next key).
func TestInterruptedPrompt(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, passwordServer())
	for _, c := range []struct {
		name string
		sig  syscall.Signal
		end  func(s *screen)
	}{
		{"^C", syscall.SIGINT, func(s *screen) { s.send("\x03") }},
		{"SIGTERM", syscall.SIGTERM, func(s *screen) { s.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGHUP", syscall.SIGHUP, func(s *screen) { s.cmd.Process.Signal(syscall.SIGHUP) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.onScreen(w.gossh("sshtest", "command"))
			before := s.before
			s.expect(`password: `)
			s.untilModes("without echo", noEcho)
			c.end(s)
			s.wait()
			if st := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !st.Signaled() || st.Signal() != c.sig {
				t.Errorf("ended by %v", s.cmd.ProcessState)
			}
			if s.modes() != before {
				t.Errorf("modes %+v, before %+v", s.modes(), before)
			}
		})
	}
}

// TestSuspendedPrompt: ^Z at a question gives the terminal back, and fg asks
// again.
func TestSuspendedPrompt(t *testing.T) {
	t.Parallel()
	w, _ := withServer(t, passwordServer())
	s := w.shell()
	before := s.modes()
	s.send(w.line("sshtest", "command") + "\n")
	s.expect(`password: `)
	s.untilModes("without echo", noEcho)
	s.send("\x1a")
	s.expect(`Stopped`)
	s.expect(`local\$ `)
	if s.modes() != before {
		t.Errorf("modes %+v, before %+v", s.modes(), before)
	}
	s.send("fg\n")
	s.expect(`password: `)
	s.untilModes("without echo", noEcho)
	s.send("secret\n")
	s.expect(`output\r\n`)
	s.expect(`local\$ `)
}
