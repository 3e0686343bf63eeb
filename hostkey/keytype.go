package hostkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/md5" // FingerprintHash md5
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	certSuffix = "-cert-v01@openssh.com"
	// keyAlgoDSA is met on old lines of known_hosts, which are passed over.
	keyAlgoDSA = "ssh-dss"
)

// keyFormat maps the name of a signature algorithm or a key type to the key
// type: "rsa-sha2-512" signs with an "ssh-rsa" key.
func keyFormat(name string) string {
	switch name {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	case ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01:
		return ssh.CertAlgoRSAv01
	case "webauthn-sk-ecdsa-sha2-nistp256@openssh.com":
		return ssh.KeyAlgoSKECDSA256
	}
	return name
}

// isCertAlgorithm reports a certificate's algorithm.
func isCertAlgorithm(name string) bool { return strings.HasSuffix(name, certSuffix) }

// plainFormat is the type of the key inside, if name is a certificate's.
func plainFormat(name string) string {
	base, isCert := strings.CutSuffix(name, certSuffix)
	if !isCert {
		return keyFormat(name)
	}
	if strings.HasPrefix(base, "sk-") {
		base += "@openssh.com"
	}
	return keyFormat(base)
}

// plainKey takes a certificate off its key.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// sameKey is OpenSSH's sshkey_equal: certificates are equal to themselves only.
func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// samePublic is sshkey_equal_public: certificates do not count.
func samePublic(a, b ssh.PublicKey) bool { return sameKey(plainKey(a), plainKey(b)) }

// KeyType returns the name of a key's type that ssh prints: "ED25519", "RSA-CERT",
// "ECDSA-SK". For a type that OpenSSH does not know, it returns the name on the
// wire.
func KeyType(key ssh.PublicKey) string {
	plain, suffix := key.Type(), ""
	if cert, ok := key.(*ssh.Certificate); ok {
		plain, suffix = cert.Key.Type(), "-CERT"
	}
	switch plain {
	case ssh.KeyAlgoED25519:
		return "ED25519" + suffix
	case ssh.KeyAlgoRSA:
		return "RSA" + suffix
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return "ECDSA" + suffix
	case ssh.KeyAlgoSKED25519:
		return "ED25519-SK" + suffix
	case ssh.KeyAlgoSKECDSA256:
		return "ECDSA-SK" + suffix
	}
	return plain + suffix
}

// keySize is the number of bits that ssh-keygen -l prints, 0 if unknown.
func keySize(key ssh.PublicKey) int {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return 256
	}
	crypto, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	switch k := crypto.CryptoPublicKey().(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	}
	return 0
}

// Fingerprint returns the "SHA256:…" fingerprint that ssh-keygen -l prints. For a
// certificate it is the fingerprint of the certified key.
func Fingerprint(key ssh.PublicKey) string {
	sum := sha256.Sum256(plainKey(key).Marshal())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// FingerprintMD5 returns the "MD5:aa:bb:…" fingerprint, for FingerprintHash md5.
func FingerprintMD5(key ssh.PublicKey) string {
	const hex = "0123456789abcdef"
	out := []byte("MD5")
	for _, b := range md5.Sum(plainKey(key).Marshal()) {
		out = append(out, ':', hex[b>>4], hex[b&15])
	}
	return string(out)
}
