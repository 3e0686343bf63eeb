package hostkey

import (
	"crypto/ecdsa"
	"crypto/md5" // FingerprintHash md5
	"crypto/rsa"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
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

// samePublic is sshkey_equal_public: certificates do not count.
func samePublic(a, b ssh.PublicKey) bool { return sshkey.Same(sshkey.Plain(a), sshkey.Plain(b)) }

// KeyType returns the name of a key's type that ssh prints: "ED25519", "RSA-CERT",
// "ECDSA-SK". For a type that OpenSSH does not know, it returns the name on the
// wire.
func KeyType(key ssh.PublicKey) string { return sshkey.TypeName(key) }

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
func Fingerprint(key ssh.PublicKey) string { return sshkey.Fingerprint(key) }

// FingerprintMD5 returns the "MD5:aa:bb:…" fingerprint, for FingerprintHash md5.
func FingerprintMD5(key ssh.PublicKey) string {
	const hex = "0123456789abcdef"
	out := []byte("MD5")
	for _, b := range md5.Sum(sshkey.Plain(key).Marshal()) {
		out = append(out, ':', hex[b>>4], hex[b&15])
	}
	return string(out)
}
