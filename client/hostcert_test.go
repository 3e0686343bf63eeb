package client

import (
	"crypto/rand"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshtest"
)

// TestHostCertificatePrincipals: a certificate is good for the hosts that it
// names, by patterns too, and for no host if it names none (OpenSSH 10.3).
func TestHostCertificatePrincipals(t *testing.T) {
	ca, err := sshtest.NewSigner(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		principals []string
		good       bool
	}{
		{"named", []string{"other", "127.0.0.1"}, true},
		{"by a pattern", []string{"127.*"}, true},
		{"another", []string{"192.0.2.1"}, false},
		{"none", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, err := sshtest.NewSigner(ssh.KeyAlgoECDSA256)
			if err != nil {
				t.Fatal(err)
			}
			cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.HostCert,
				ValidPrincipals: test.principals, ValidBefore: ssh.CertTimeInfinity}
			if err := cert.SignCert(rand.Reader, ca); err != nil {
				t.Fatal(err)
			}
			signer, err := ssh.NewCertSigner(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			s := newSetup(t, sshtest.Options{HostKeys: []ssh.Signer{signer}}, "StrictHostKeyChecking yes")
			known := s.write(t, "known", "@cert-authority * "+string(ssh.MarshalAuthorizedKey(ca.PublicKey())))
			s.configure(t, s.opts.ConfigOptions.UserFile, "UserKnownHostsFile "+known)
			_, err = s.dial(t)
			if test.good && err != nil || !test.good && !errors.Is(err, hostkey.ErrVerification) {
				t.Errorf("got %v", err)
			}
		})
	}
}
