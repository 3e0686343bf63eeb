package sshkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"
)

// certSuffix ends the names of certificate types and algorithms.
const certSuffix = "-cert-v01@openssh.com"

// Plain returns the key, or for a certificate the key that it certifies.
func Plain(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// Same reports whether two keys are equal. A certificate is equal to itself only, as
// in OpenSSH's sshkey_equal. A nil key is equal to none.
func Same(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}

// TypeName returns the name of a key's type that ssh prints: "ED25519", "RSA-CERT",
// "ECDSA-SK". For a type that OpenSSH does not know, it returns the name on the wire.
func TypeName(key ssh.PublicKey) string {
	name, suffix := key.Type(), ""
	if cert, ok := key.(*ssh.Certificate); ok {
		name, suffix = cert.Key.Type(), "-CERT"
	}
	switch name {
	case ssh.KeyAlgoED25519:
		name = "ED25519"
	case ssh.KeyAlgoRSA:
		name = "RSA"
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		name = "ECDSA"
	case ssh.KeyAlgoSKED25519:
		name = "ED25519-SK"
	case ssh.KeyAlgoSKECDSA256:
		name = "ECDSA-SK"
	}
	return name + suffix
}

// Fingerprint returns the "SHA256:…" fingerprint that ssh-keygen -l prints. For a
// certificate it is the fingerprint of the certified key.
func Fingerprint(key ssh.PublicKey) string {
	sum := sha256.Sum256(Plain(key).Marshal())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// SignatureAlgorithm returns the signature algorithm of the name of a public key
// algorithm, and whether the name is one of certificates.
func SignatureAlgorithm(name string) (algorithm string, cert bool) {
	base, cert := strings.CutSuffix(name, certSuffix)
	if cert && strings.HasPrefix(base, "sk-") {
		base += "@openssh.com"
	}
	return base, cert
}

// CertificateAlgorithm returns the name of the public key algorithm of certificates
// with a signature algorithm.
func CertificateAlgorithm(algorithm string) string {
	base, _ := strings.CutSuffix(algorithm, "@openssh.com") // of security keys
	return base + certSuffix
}
