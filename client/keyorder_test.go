package client

import (
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// skKey is the public key of a FIDO token, of which only the type counts here.
type skKey struct{ ssh.PublicKey }

func (skKey) Type() string { return ssh.KeyAlgoSKED25519 }

// TestByPriority orders what the user did not name, and leaves the rest where it
// is.
func TestByPriority(t *testing.T) {
	signer, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	plain := signer.PublicKey()
	cert := func(key ssh.PublicKey, critical, extension string) *ssh.Certificate {
		c := &ssh.Certificate{Key: key, CertType: ssh.UserCert}
		c.CriticalOptions = map[string]string{critical: ""}
		c.Extensions = map[string]string{extension: ""}
		return c
	}
	list := []*identity{
		{shown: "plain", pub: plain},
		{shown: "named", pub: plain, named: true},
		{shown: "unread"},
		{shown: "sk pin", pub: cert(skKey{plain}, "verify-required", "")},
		{shown: "cert", pub: cert(plain, "", "no-touch-required")},
		{shown: "named cert", pub: cert(plain, "", ""), named: true},
		{shown: "sk", pub: skKey{plain}},
		{shown: "sk no touch", pub: cert(skKey{plain}, "", "no-touch-required")},
		{shown: "sk cert", pub: cert(skKey{plain}, "", "")},
	}
	want := []string{"sk no touch", "named", "cert", "sk cert", "sk pin", "named cert", "plain", "unread", "sk"}
	var got []string
	for _, k := range byPriority(list) {
		got = append(got, k.shown)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestOfferedKeys lists keys without a server.
func TestOfferedKeys(t *testing.T) {
	s := newSetup(t, sshtest.Options{})
	_, file := s.newKey(t, "one", ssh.KeyAlgoED25519)
	s.configure(t, s.opts.ConfigOptions.UserFile, "IdentityFile "+file, "IdentityFile "+file+"-missing", "Port 1")
	keys, err := OfferedKeys(testContext(t), "sshtest", &s.opts)
	if err != nil || len(keys) < 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	if got, want := keys[0].String(), file+" ED25519 "+ssh.FingerprintSHA256(keys[0].Key)+" explicit"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := keys[1].String(), file+"-missing  explicit"; got != want || keys[1].Key != nil {
		t.Errorf("got %q, want %q", got, want)
	}
}
