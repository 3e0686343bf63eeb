package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"reflect"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"

	"github.com/gossh-project/gossh/internal/sshkey"
)

func TestPublicKeyOrder(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	one, oneFile := s.newKey(t, "one", ssh.KeyAlgoED25519)
	two, twoFile := s.newKey(t, "two", ssh.KeyAlgoECDSA256)
	good := ssh.FingerprintSHA256(s.srv.ClientKey.PublicKey())
	names := map[string]string{
		ssh.FingerprintSHA256(one.PublicKey()): "one",
		ssh.FingerprintSHA256(two.PublicKey()): "two",
		good:                                   "good",
	}
	s.configure(t, s.opts.ConfigOptions.UserFile, "IdentityFile "+twoFile, "IdentityFile "+oneFile)
	c := s.mustDial(t)
	if c.AuthMethod() != "publickey" {
		t.Errorf("method %q", c.AuthMethod())
	}
	want := []string{"offer two", "offer one", "offer good", "sign good"}
	if got := s.attempts(names); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts %v, want %v", got, want)
	}
}

// TestPublicHalfBesideTheFile: what the .pub says is what is offered, as by
// ssh, and a private key that is not its own is refused.
func TestPublicHalfBesideTheFile(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	good := s.srv.ClientKey.PublicKey()
	names := map[string]string{ssh.FingerprintSHA256(good): "good"}
	_, file := s.newKey(t, "one", ssh.KeyAlgoED25519)
	s.write(t, "one.pub", string(ssh.MarshalAuthorizedKey(good)))
	s.configure(t, s.opts.ConfigOptions.UserFile, "IdentityFile "+file)
	s.mustDial(t)
	want := []string{"offer good", "sign good"} // offered twice, but the server remembers its answer
	if got := s.attempts(names); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts %v, want %v", got, want)
	}
	if e, ok := hasEvent[KeyFileSkipped](s); !ok || !errors.Is(e.Err, ErrKeyMismatch) {
		t.Errorf("event %+v, want a mismatch", e)
	}
}

func TestCertificateBesideTheFile(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	plain, file := s.newKey(t, "one", ssh.KeyAlgoED25519)
	cert := &ssh.Certificate{Key: plain.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, s.srv.ClientKey); err != nil {
		t.Fatal(err)
	}
	s.write(t, "one.pub", string(ssh.MarshalAuthorizedKey(cert)))
	d := &dialer{}
	r := &keyring{d: d, files: &keyFiles{ctx: t.Context(), d: d}}
	if got := r.publicHalf(sshconfig.File{Path: file}); !sshkey.Same(got, cert) {
		t.Errorf("public half is %v, want the certificate", got)
	}
}

func TestSignersComeFirst(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	mine, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	s.opts.Signers = []ssh.Signer{mine, s.srv.ClientKey}
	s.opts.OnlySigners = true
	s.mustDial(t)
	names := map[string]string{ssh.FingerprintSHA256(mine.PublicKey()): "mine",
		ssh.FingerprintSHA256(s.srv.ClientKey.PublicKey()): "good"}
	want := []string{"offer mine", "offer good", "sign good"}
	if got := s.attempts(names); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts %v, want %v", got, want)
	}
}

func TestPasswordAttempts(t *testing.T) {
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
	for _, test := range []struct {
		name    string
		answers []string
		ok      bool
	}{
		{"first", []string{"right"}, true},
		{"third", []string{"no", "", "right"}, true},
		{"never", []string{"a", "b", "c", "right"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}})
			asked := 0
			s.opts.Prompter = script{password: func(q PasswordQuestion) (string, error) {
				if q.Attempt != asked+1 || q.User != sshtest.DefaultUser {
					t.Errorf("question %d is %+v", asked+1, q)
				}
				asked++
				return test.answers[asked-1], nil
			}}
			_, err := s.dial(t)
			var denied *AuthError
			switch {
			case test.ok && err != nil:
				t.Fatal(err)
			case !test.ok && !errors.As(err, &denied):
				t.Fatalf("%v, want an AuthError", err)
			case !test.ok && (asked != 3 || !reflect.DeepEqual(denied.Methods, []string{"password"})):
				t.Errorf("asked %d times; %+v", asked, denied)
			}
		})
	}
}

func TestKeyboardInteractive(t *testing.T) {
	rounds := []sshtest.Round{
		{Name: "login", Instruction: "two steps", Prompts: []sshtest.Prompt{{Text: "Code: ", Echo: true, Answer: "42"}, {Text: "PIN: ", Answer: "1234"}}},
		{Name: "done", Instruction: "nothing more to ask"},
	}
	s := newSetup(t, sshtest.Options{Users: []sshtest.User{{Name: sshtest.DefaultUser, Rounds: rounds}}})
	var seen []ChallengeQuestion
	s.opts.Prompter = script{challenge: func(q ChallengeQuestion) ([]string, error) {
		seen = append(seen, q)
		if len(q.Prompts) == 0 {
			return nil, nil
		}
		return []string{"42", "1234"}, nil
	}}
	s.mustDial(t)
	if len(seen) != 2 || len(seen[0].Prompts) != 2 || !seen[0].Prompts[0].Echo || seen[0].Prompts[1].Echo ||
		seen[1].Instruction != "nothing more to ask" {
		t.Errorf("questions %+v", seen)
	}
}

func TestTwoMethods(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	key, file := s.newKey(t, "key", ssh.KeyAlgoED25519)
	srv := sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{
		Name: sshtest.DefaultUser, Keys: []ssh.PublicKey{key.PublicKey()}, Password: "right",
		Sequence: []string{"publickey", "password"},
	}}})
	s.srv = srv
	files, err := srv.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.configure(t, files.Config, "IdentityFile "+file)
	s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) { return "right", nil }}
	s.mustDial(t)

	s.opts.Prompter = nil // and without a password: what did succeed is told
	_, err = s.dial(t)
	var denied *AuthError
	if !errors.As(err, &denied) || !reflect.DeepEqual(denied.Partial, []string{"publickey"}) {
		t.Errorf("%v, %+v", err, denied)
	}
}

func TestBatchModeAsksNobody(t *testing.T) {
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right", Rounds: []sshtest.Round{{Prompts: []sshtest.Prompt{{Text: "x"}}}}}
	s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}}, "BatchMode yes")
	s.opts.Prompter = script{} // any question would panic
	_, err := s.dial(t)
	var denied *AuthError
	if !errors.As(err, &denied) {
		t.Fatalf("%v, want an AuthError", err)
	}
	for _, a := range s.srv.Attempts() {
		if a.Method != "none" && a.Method != "publickey" {
			t.Errorf("tried %s", a.Method)
		}
	}
}

func TestPreferredAuthentications(t *testing.T) {
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
	s := newSetup(t, sshtest.Options{})
	user.Keys = []ssh.PublicKey{s.srv.ClientKey.PublicKey()}
	srv := sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{user}})
	files, err := srv.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.srv = srv
	s.configure(t, files.Config, "PreferredAuthentications password,publickey")
	s.opts.Password = nil
	s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) { return "right", nil }}
	c := s.mustDial(t)
	if c.AuthMethod() != "password" {
		t.Errorf("authenticated by %s", c.AuthMethod())
	}
}

func TestPassphrase(t *testing.T) {
	for _, test := range []struct {
		name    string
		beside  bool // the public half is in a file of its own
		answers []string
		ok      bool
	}{
		{"second", true, []string{"wrong", "secret"}, true},
		{"skipped", true, []string{""}, false},
		{"never", true, []string{"a", "b", "c"}, false},
		{"hidden", false, []string{"wrong", "secret"}, true},
		{"hidden and skipped", false, []string{""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{})
			key, err := sshtest.NewKey(ssh.KeyAlgoECDSA256)
			if err != nil {
				t.Fatal(err)
			}
			signer, _ := ssh.NewSignerFromKey(key)
			s.srv = sshtest.NewServer(t, &sshtest.Options{Users: []sshtest.User{{Name: sshtest.DefaultUser, Keys: []ssh.PublicKey{signer.PublicKey()}}}})
			files, err := s.srv.WriteFiles(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			// Old PEM is decrypted in no time, unlike OpenSSH's own format.
			der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
			if err != nil {
				t.Fatal(err)
			}
			//lint:ignore SA1019 it is for speed
			block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte("secret"), x509.PEMCipherAES256)
			if err != nil {
				t.Fatal(err)
			}
			file := s.write(t, "secret", string(pem.EncodeToMemory(block)))
			if test.beside {
				s.write(t, "secret.pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
			}
			s.configure(t, files.Config, "IdentityFile "+file)
			asked := 0
			s.opts.Prompter = script{passphrase: func(q PassphraseQuestion) (string, error) {
				if q.File != file || q.Attempt != asked+1 {
					t.Errorf("question %d is %+v", asked+1, q)
				}
				asked++
				return test.answers[asked-1], nil
			}}
			if _, err = s.dial(t); (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
			if asked != len(test.answers) {
				t.Errorf("asked %d times, want %d", asked, len(test.answers))
			}
		})
	}
}

func TestNothingIsAskedAfterHangUp(t *testing.T) {
	// The server gives up after one failure; the password that would come
	// next must not be asked for.
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
	s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}, MaxAuthTries: 1})
	asked := 0
	s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) {
		asked++
		return "wrong", nil
	}}
	_, err := s.dial(t)
	var broken *ConnError
	if !errors.As(err, &broken) || broken.Phase != PhaseAuth {
		t.Fatalf("%v, want a ConnError of the authentication", err)
	}
	if asked > 1 {
		t.Errorf("asked %d times", asked)
	}
}

// damagedConn flips a bit of what it receives once it is armed.
type damagedConn struct {
	net.Conn
	armed atomic.Bool
}

func (c *damagedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.armed.Load() {
		p[n-1] ^= 1
	}
	return n, err
}

// TestDamagedAnswer: an answer that cannot be decrypted is the end of the
// connection. It is no refusal, after which the next question would be asked.
func TestDamagedAnswer(t *testing.T) {
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
	for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"} {
		t.Run(cipher, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}}, "Ciphers "+cipher)
			damaged := new(damagedConn)
			s.opts.NetDial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
				damaged.Conn, err = new(net.Dialer).DialContext(ctx, network, address)
				return damaged, err
			}
			asked := 0
			s.opts.Prompter = script{password: func(PasswordQuestion) (string, error) {
				asked++
				damaged.armed.Store(true)
				return "wrong", nil
			}}
			_, err := s.dial(t)
			var broken *ConnError
			if !errors.As(err, &broken) || broken.Phase != PhaseAuth || asked != 1 {
				t.Errorf("%v after %d questions", err, asked)
			}
		})
	}
}
