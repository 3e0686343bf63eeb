package hostkey

import (
	"bytes"
	"crypto/sha1" // SSHFP type 1
	"crypto/sha256"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// SSHFP is an SSHFP record (RFC 4255, RFC 6594).
type SSHFP struct {
	Algorithm   uint8 // 1 RSA, 2 DSA, 3 ECDSA, 4 Ed25519
	Type        uint8 // 1 SHA-1, 2 SHA-256
	Fingerprint []byte
}

// NewSSHFP returns the record of a key, or of the certified key of a certificate.
// ok is false if the key type has no number or the digest type is unknown.
func NewSSHFP(key ssh.PublicKey, digestType uint8) (rec SSHFP, ok bool) {
	key = sshkey.Plain(key)
	rec = SSHFP{Algorithm: sshfpAlgorithm(key), Type: digestType}
	switch digestType {
	case 1:
		sum := sha1.Sum(key.Marshal())
		rec.Fingerprint = sum[:]
	case 2:
		sum := sha256.Sum256(key.Marshal())
		rec.Fingerprint = sum[:]
	}
	return rec, rec.Algorithm != 0 && rec.Fingerprint != nil
}

// MatchSSHFP compares a key with the records of its host. found reports whether
// there are records. matching reports whether at least one record matches and no
// record of the key's algorithm differs: an outdated record counts as a wrong one.
func MatchSSHFP(records []SSHFP, key ssh.PublicKey) (found, matching bool) {
	failed := false
	for _, rec := range records {
		own, ok := NewSSHFP(key, rec.Type)
		if !ok || own.Algorithm != rec.Algorithm {
			continue
		}
		if bytes.Equal(own.Fingerprint, rec.Fingerprint) {
			matching = true
		} else {
			failed = true
		}
	}
	return len(records) > 0, matching && !failed
}

// sshfpAlgorithm is the number that IANA gave to the key type, 0 for none.
func sshfpAlgorithm(key ssh.PublicKey) uint8 {
	switch key.Type() {
	case ssh.KeyAlgoRSA:
		return 1
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return 3
	case ssh.KeyAlgoED25519:
		return 4
	}
	return 0
}
