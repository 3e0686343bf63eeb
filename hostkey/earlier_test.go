package hostkey

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestEarlier checks which keys a connection accepts that takes the place of
// another one.
func TestEarlier(t *testing.T) {
	first, second := newSigner(t, "ed25519"), newSigner(t, "ed25519")
	ca := newSigner(t, "ecdsa")
	certify := func(key ssh.PublicKey) *ssh.Certificate {
		cert := &ssh.Certificate{Key: key, CertType: ssh.HostCert, ValidPrincipals: []string{"web"}, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(strings.NewReader(strings.Repeat("r", 1000)), ca); err != nil {
			t.Fatal(err)
		}
		return cert
	}
	cert1, cert2 := certify(first.PublicKey()), certify(second.PublicKey())
	line := func(prefix string, key ssh.PublicKey) string {
		return prefix + "web " + string(ssh.MarshalAuthorizedKey(key))
	}
	type want int
	const (
		accepted want = iota
		refused
		asked // refused, but by a person
	)
	for name, c := range map[string]struct {
		hosts   string
		strict  Strictness
		local   bool
		earlier []ssh.PublicKey
		shown   ssh.PublicKey
		want    want
	}{
		"no first one":                    {"", StrictNo, false, nil, second.PublicKey(), accepted},
		"the same":                        {"", StrictNo, false, []ssh.PublicKey{first.PublicKey()}, first.PublicKey(), accepted},
		"another":                         {"", StrictNo, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"another, accept-new":             {"", StrictAcceptNew, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"another, not asked about":        {"", StrictAsk, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"the same, asked about":           {"", StrictAsk, false, []ssh.PublicKey{first.PublicKey()}, first.PublicKey(), asked},
		"one of several":                  {"", StrictNo, false, []ssh.PublicKey{first.PublicKey(), second.PublicKey()}, second.PublicKey(), accepted},
		"another one, on file":            {line("", second.PublicKey()), StrictNo, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), accepted},
		"the same, not that on file":      {line("", second.PublicKey()), StrictNo, false, []ssh.PublicKey{first.PublicKey()}, first.PublicKey(), accepted},
		"another, not that on file":       {line("", first.PublicKey()), StrictNo, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"another, revoked":                {line("@revoked ", second.PublicKey()), StrictNo, false, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"another on localhost":            {"", StrictNo, true, []ssh.PublicKey{first.PublicKey()}, second.PublicKey(), refused},
		"the same on localhost":           {"", StrictNo, true, []ssh.PublicKey{first.PublicKey()}, first.PublicKey(), accepted},
		"the key of the certificate":      {"", StrictNo, false, []ssh.PublicKey{cert1}, first.PublicKey(), accepted},
		"a certificate of the key":        {"", StrictNo, false, []ssh.PublicKey{first.PublicKey()}, cert1, accepted},
		"another certificate":             {"", StrictNo, false, []ssh.PublicKey{cert1}, cert2, refused},
		"another certificate, trusted CA": {line("@cert-authority ", ca.PublicKey()), StrictNo, false, []ssh.PublicKey{cert1}, cert2, accepted},
		"another key, trusted CA":         {line("@cert-authority ", ca.PublicKey()), StrictNo, false, []ssh.PublicKey{cert1}, second.PublicKey(), refused},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "known_hosts")
			if err := os.WriteFile(file, []byte(c.hosts), 0o600); err != nil {
				t.Fatal(err)
			}
			target := Target{Host: "web"}
			if c.local {
				target.Addr = netip.MustParseAddr("127.0.0.1")
			}
			o := Options{UserFiles: []string{file}, Strict: c.strict, Earlier: c.earlier, NoHostAuthenticationForLocalhost: c.local}
			_, err := NewChecker(o).Check(t.Context(), target, c.shown)
			var changed *ChangedError
			var unknown *UnknownError
			switch {
			case c.want == accepted && err != nil:
				t.Errorf("refused: %v", err)
			case c.want == refused && (!errors.As(err, &changed) || !changed.Earlier || !errors.Is(err, ErrVerification)):
				t.Errorf("got %v, not a ChangedError with Earlier", err)
			case c.want == asked && !errors.As(err, &unknown):
				t.Errorf("got %v, not an UnknownError", err)
			}
			if after, err := os.ReadFile(file); c.want == refused && string(after) != c.hosts {
				t.Errorf("the refused key was written: %q, %v", after, err)
			}
		})
	}
}

// TestEarlierOrder checks that the algorithms of a key accepted earlier come
// first, so that a server with several keys shows that one.
func TestEarlierOrder(t *testing.T) {
	earlier := newSigner(t, "rsa").PublicKey()
	list := []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	got, err := NewChecker(Options{Earlier: []ssh.PublicKey{earlier}}).Algorithms(t.Context(), Target{Host: "web"}, list, true)
	if err != nil || len(got) != len(list) || got[0] != ssh.KeyAlgoRSASHA512 || got[1] != ssh.KeyAlgoRSASHA256 {
		t.Errorf("order %v, %v", got, err)
	}
}
