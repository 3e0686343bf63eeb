package sshkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestAlgorithmNames(t *testing.T) {
	for cert, plain := range map[string]string{
		ssh.CertAlgoRSAv01:        ssh.KeyAlgoRSA,
		ssh.CertAlgoRSASHA256v01:  ssh.KeyAlgoRSASHA256,
		ssh.CertAlgoRSASHA512v01:  ssh.KeyAlgoRSASHA512,
		ssh.CertAlgoECDSA256v01:   ssh.KeyAlgoECDSA256,
		ssh.CertAlgoECDSA384v01:   ssh.KeyAlgoECDSA384,
		ssh.CertAlgoECDSA521v01:   ssh.KeyAlgoECDSA521,
		ssh.CertAlgoED25519v01:    ssh.KeyAlgoED25519,
		ssh.CertAlgoSKED25519v01:  ssh.KeyAlgoSKED25519,
		ssh.CertAlgoSKECDSA256v01: ssh.KeyAlgoSKECDSA256,
	} {
		if got, isCert := SignatureAlgorithm(cert); got != plain || !isCert {
			t.Errorf("SignatureAlgorithm(%q) = %q, %t", cert, got, isCert)
		}
		if got, isCert := SignatureAlgorithm(plain); got != plain || isCert {
			t.Errorf("SignatureAlgorithm(%q) = %q, %t", plain, got, isCert)
		}
		if got := CertificateAlgorithm(plain); got != cert {
			t.Errorf("CertificateAlgorithm(%q) = %q", plain, got)
		}
	}
}

func TestCertificateNames(t *testing.T) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, SignatureKey: key, Signature: &ssh.Signature{Format: "x"}}
	if !Same(Plain(cert), key) || !Same(Plain(key), key) {
		t.Error("Plain")
	}
	if !Same(key, key) || !Same(cert, cert) || Same(key, cert) || Same(nil, nil) || Same(key, nil) {
		t.Error("Same")
	}
	if TypeName(key) != "ED25519" || TypeName(cert) != "ED25519-CERT" {
		t.Errorf("TypeName %q, %q", TypeName(key), TypeName(cert))
	}
	if want := ssh.FingerprintSHA256(key); Fingerprint(key) != want || Fingerprint(cert) != want {
		t.Errorf("Fingerprint %q, %q", Fingerprint(key), Fingerprint(cert))
	}
}
