package sshtest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

func signer(t *testing.T, format string) ssh.Signer {
	t.Helper()
	k, err := sshtest.NewSigner(format)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certificate signs key for principals.
func certificate(t *testing.T, ca, key ssh.Signer, kind uint32, principals ...string) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: kind, ValidPrincipals: principals, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(strings.NewReader(strings.Repeat("nonce", 20)), ca); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logIn tries to log in and returns the attempts that the server saw, in
// short.
func logIn(t *testing.T, srv *sshtest.Server, user string, auth ...ssh.AuthMethod) ([]string, error) {
	t.Helper()
	config := srv.ClientConfig()
	config.User, config.Auth = user, auth
	nc := srv.Pipe()
	before := len(srv.Attempts())
	conn, chans, reqs, err := ssh.NewClientConn(nc, srv.Addr(), config)
	if err == nil {
		ssh.NewClient(conn, chans, reqs).Close()
	}
	nc.Close()
	var short []string
	for _, a := range srv.Attempts()[before:] {
		s := a.Method
		if a.Signed {
			s += " signed"
		}
		switch {
		case a.Partial:
			s += " partial"
		case a.OK:
			s += " ok"
		}
		short = append(short, s)
	}
	return short, err
}

func answers(as ...string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
		if len(as) < len(questions) {
			return nil, errors.New("too many questions")
		}
		out := as[:len(questions)]
		as = as[len(questions):]
		return out, nil
	})
}

func TestAuthentication(t *testing.T) {
	key, other, ca := signer(t, ssh.KeyAlgoED25519), signer(t, ssh.KeyAlgoECDSA256), signer(t, ssh.KeyAlgoRSA)
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Users: []sshtest.User{
		{Name: "key", Keys: []ssh.PublicKey{key.PublicKey()}},
		{Name: "cert", CAs: []ssh.PublicKey{ca.PublicKey()}},
		{Name: "password", Password: "secret"},
		{Name: "none", None: true},
		{Name: "asked", Rounds: []sshtest.Round{
			{Name: "first", Prompts: []sshtest.Prompt{{Text: "Name: ", Echo: true, Answer: "jo"}, {Text: "PIN: ", Answer: "1"}}},
			{Instruction: "Nearly done."},
			{Prompts: []sshtest.Prompt{{Text: "Code: ", Answer: "2"}}},
		}},
		{Name: "two", Password: "secret", Keys: []ssh.PublicKey{key.PublicKey()}, Sequence: []string{"publickey", "password"}},
	}})
	for _, tt := range []struct {
		name, user string
		auth       ssh.AuthMethod
		auth2      ssh.AuthMethod
		want       string
		ok         bool
	}{
		{"key", "key", ssh.PublicKeys(other, key), nil, "none,publickey,publickey ok,publickey signed ok", true},
		{"wrong key", "key", ssh.PublicKeys(other), nil, "none,publickey", false},
		{"unknown user", "nobody", ssh.PublicKeys(key), nil, "none,publickey", false},
		{"certificate", "cert", ssh.PublicKeys(certificate(t, ca, other, ssh.UserCert, "cert")), nil,
			"none,publickey ok,publickey signed ok", true},
		{"no principals", "cert", ssh.PublicKeys(certificate(t, ca, other, ssh.UserCert)), nil, "none,publickey", false},
		{"other's certificate", "cert", ssh.PublicKeys(certificate(t, ca, other, ssh.UserCert, "key")), nil, "none,publickey", false},
		{"host's certificate", "cert", ssh.PublicKeys(certificate(t, ca, other, ssh.HostCert, "cert")), nil, "none,publickey", false},
		{"other CA", "cert", ssh.PublicKeys(certificate(t, key, other, ssh.UserCert, "cert")), nil, "none,publickey", false},
		{"password", "password", ssh.Password("secret"), nil, "none,password ok", true},
		{"wrong password", "password", ssh.Password("public"), nil, "none,password", false},
		{"none", "none", ssh.Password(""), nil, "none ok", true},
		{"answers", "asked", answers("jo", "1", "2"), nil, "none,keyboard-interactive ok", true},
		{"wrong answer", "asked", answers("jo", "2", "2"), nil, "none,keyboard-interactive", false},
		{"two methods", "two", ssh.PublicKeys(key), ssh.Password("secret"),
			"none,publickey ok,publickey signed partial,password ok", true},
		{"first of two", "two", ssh.PublicKeys(key), nil, "none,publickey ok,publickey signed partial", false},
		{"second of two", "two", ssh.Password("secret"), nil, "none,password", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			auth := []ssh.AuthMethod{tt.auth}
			if tt.auth2 != nil {
				auth = append(auth, tt.auth2)
			}
			got, err := logIn(t, srv, tt.user, auth...)
			if short := strings.Join(got, ","); short != tt.want || (err == nil) != tt.ok {
				t.Errorf("attempts %s, error %v", short, err)
			}
		})
	}
	a := srv.Attempts()
	i := slices.IndexFunc(a, func(a sshtest.Attempt) bool { return a.Signed })
	if a[i].Fingerprint != ssh.FingerprintSHA256(key.PublicKey()) || a[i].Algorithm != ssh.KeyAlgoED25519 ||
		a[i].KeyType != ssh.KeyAlgoED25519 || a[i].User != "key" || a[i].Conn != 1 {
		t.Errorf("signature recorded as %+v", a[i])
	}
}

func TestMaxAuthTries(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, MaxAuthTries: 2})
	_, err := logIn(t, srv, sshtest.DefaultUser, ssh.PublicKeys(signer(t, ssh.KeyAlgoED25519),
		signer(t, ssh.KeyAlgoED25519), signer(t, ssh.KeyAlgoED25519)))
	if n := len(srv.Attempts()); n != 3 || err == nil {
		t.Errorf("%d attempts (none and two keys expected), %v", n, err)
	}
}

func TestBannerAndMethods(t *testing.T) {
	srv := sshtest.NewServer(t, &sshtest.Options{NoListen: true, Banner: "Welcome\n", Methods: []string{"password"}})
	config := srv.ClientConfig()
	var banner string
	config.BannerCallback = func(s string) error { banner += s; return nil }
	_, _, _, err := ssh.NewClientConn(srv.Pipe(), srv.Addr(), config)
	if banner != "Welcome\n" || err == nil {
		t.Errorf("banner %q, key accepted where only passwords are offered: %v", banner, err == nil)
	}
}

func TestHostKeys(t *testing.T) {
	ca, plain, rsa := signer(t, ssh.KeyAlgoED25519), signer(t, ssh.KeyAlgoECDSA256), signer(t, ssh.KeyAlgoRSA)
	cert := certificate(t, ca, plain, ssh.HostCert, "127.0.0.1")
	srv := sshtest.NewServer(t, &sshtest.Options{HostKeys: []ssh.Signer{cert, plain, rsa}})
	for _, algorithm := range []string{ssh.CertAlgoECDSA256v01, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512} {
		config := srv.ClientConfig()
		var got string
		config.HostKeyAlgorithms = []string{algorithm}
		check := ssh.CertChecker{
			IsHostAuthority: func(k ssh.PublicKey, _ string) bool { return string(k.Marshal()) == string(ca.PublicKey().Marshal()) },
			HostKeyFallback: ssh.InsecureIgnoreHostKey(),
		}
		config.HostKeyCallback = check.CheckHostKey
		c, err := ssh.Dial("tcp", srv.Addr(), config)
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		got = c.Conn.(ssh.AlgorithmsConnMetadata).Algorithms().HostKey
		if got != algorithm {
			t.Errorf("got %s, want %s", got, algorithm)
		}
		c.Close()
	}
	lines := srv.KnownHosts()
	want := fmt.Sprintf("@cert-authority [127.0.0.1]:%d ssh-ed25519 ", srv.Port())
	if !strings.HasPrefix(lines, want) || strings.Count(lines, "\n") != 3 {
		t.Errorf("known_hosts lines:\n%s", lines)
	}
}
