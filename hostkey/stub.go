package hostkey

import (
	"context"
	"errors"
	"net"

	"golang.org/x/crypto/ssh"
)

var errTODO = errors.New("not yet")

// Algorithms returns the order of HostKeyAlgorithms for the key exchange.
// isDefault says that the list is OpenSSH's default, possibly changed by + or
// -: then the algorithms of the keys on file come first. Any other list is
// returned as it is.
func (c *Checker) Algorithms(ctx context.Context, t Target, list []string, isDefault bool) ([]string, error) {
	return list, nil
}

// Check judges the key or certificate that a server showed. It blocks while
// Options.Ask does; its errors match ErrVerification.
func (c *Checker) Check(ctx context.Context, t Target, key ssh.PublicKey) (*Verdict, error) {
	return nil, errTODO
}

// Verifier judges the keys of one connection: the first key exchange by a
// Check, every later one by comparison with what was accepted.
type Verifier struct{}

// Verifier returns the judge for one connection. ctx bounds the first check
// only; later key exchanges neither ask nor read a file.
func (c *Checker) Verifier(ctx context.Context, t Target) *Verifier { return &Verifier{} }

// Callback is an ssh.HostKeyCallback. The address that it is given is not
// used: Target.Addr counts.
func (v *Verifier) Callback(_ string, _ net.Addr, key ssh.PublicKey) error { return errTODO }

// Verdict is the outcome of the first key exchange, nil before it.
func (v *Verifier) Verdict() *Verdict { return nil }

// UpdateRequest is what Update needs to know of the connection.
type UpdateRequest struct {
	Payload    []byte   // of hostkeys-00@openssh.com
	SessionID  []byte   // ssh.ConnMetadata.SessionID
	Algorithms []string // HostKeyAlgorithms in force; other keys are ignored
	// HostKeyAlgorithm is the negotiated one ("rsa-sha2-512"); "" is unknown.
	HostKeyAlgorithm string
	// Prove sends hostkeys-prove-00@openssh.com with this payload, want reply
	// set, and returns the reply; an error if the server answered failure.
	Prove func(ctx context.Context, payload []byte) ([]byte, error)
}

// Update handles hostkeys-00@openssh.com: it decides what is new and what is
// gone, has the server prove the new keys, asks if UpdateHostKeys says so, and
// rewrites the user's files. Where OpenSSH does nothing it does nothing.
func (c *Checker) Update(ctx context.Context, v *Verifier, r UpdateRequest) error { return errTODO }

// Fingerprint is ssh-keygen -l's "SHA256:…"; of a certificate, that of its key.
func Fingerprint(key ssh.PublicKey) string { return "" }

// FingerprintMD5 is "MD5:aa:bb:…", for FingerprintHash md5.
func FingerprintMD5(key ssh.PublicKey) string { return "" }

// RandomArt is the picture of VisualHostKey: eleven lines without a final newline.
func RandomArt(key ssh.PublicKey) string { return "" }

// KeyType is the name that ssh prints: "ED25519", "RSA-CERT", "ECDSA-SK".
func KeyType(key ssh.PublicKey) string { return "" }

// SSHFP is one record of RFC 4255 and RFC 6594.
type SSHFP struct {
	Algorithm   uint8 // 1 RSA, 2 DSA, 3 ECDSA, 4 Ed25519
	Type        uint8 // 1 SHA-1, 2 SHA-256
	Fingerprint []byte
}

// MatchSSHFP compares a key with the records of its host.
func MatchSSHFP(records []SSHFP, key ssh.PublicKey) (found, matching bool) { return false, false }
