package agentfwd

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// Identity is a key or a certificate that an agent holds.
type Identity struct {
	Format  string        // the type that the blob names, such as ssh-ed25519
	Blob    []byte        // the public key or certificate on the wire
	Comment string        // as the agent gave it: may hold control characters
	Key     ssh.PublicKey // nil where x/crypto does not know the type
}

// newIdentity reads what it can from the blob.
func newIdentity(blob []byte, comment string) Identity {
	id := Identity{Blob: blob, Comment: comment}
	f := wire.NewReader(blob)
	id.Format = f.Text()
	if key, err := ssh.ParsePublicKey(blob); err == nil {
		id.Key = key
	}
	return id
}

// plainBlob is the key without the certificate around it: what fingerprints
// are made from.
func (id Identity) plainBlob() []byte {
	if cert, ok := id.Key.(*ssh.Certificate); ok {
		return cert.Key.Marshal()
	}
	return id.Blob
}

// Fingerprint returns the SHA256 fingerprint that ssh-add -l prints. For a
// certificate it is the fingerprint of the certified key.
func (id Identity) Fingerprint() string {
	sum := sha256.Sum256(id.plainBlob())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// fingerprintMD5 returns the MD5:... fingerprint of ssh-add -l -E md5.
func (id Identity) fingerprintMD5() string {
	sum := md5.Sum(id.plainBlob())
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return "MD5:" + strings.Join(pairs, ":")
}

// Signer signs through the agent connection that listed it. It implements
// ssh.MultiAlgorithmSigner. A failure of this one key is a *SignError.
type Signer struct {
	ctx  context.Context // bounds each signature: ssh.Signer takes none
	conn *Conn
	id   Identity
}

var _ ssh.MultiAlgorithmSigner = (*Signer)(nil)

// Identity returns the key with its comment.
func (s *Signer) Identity() Identity { return s.id }

// PublicKey returns the key or the certificate.
func (s *Signer) PublicKey() ssh.PublicKey { return s.id.Key }

// Algorithms returns the signature algorithms, the preferred one first. For RSA
// these are the ones with SHA-2 (RFC 8332). For servers that know only ssh-rsa,
// use ssh.NewSignerWithAlgorithms.
func (s *Signer) Algorithms() []string {
	if format := s.keyFormat(); format != ssh.KeyAlgoRSA {
		return []string{format}
	}
	return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
}

// keyFormat is the type of the plain key.
func (s *Signer) keyFormat() string {
	if cert, ok := s.id.Key.(*ssh.Certificate); ok {
		return cert.Key.Type()
	}
	return s.id.Key.Type()
}

// Sign signs with the preferred algorithm. rand is not used.
func (s *Signer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// webauthnSignature is what an agent may sign with an sk-ecdsa key that lives in
// a browser (PROTOCOL.u2f). Servers accept it as the key's own type.
const webauthnSignature = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"

// SignWithAlgorithm signs with one of Algorithms, or ssh-rsa for an RSA key, or
// the preferred one if algorithm is empty. rand is not used.
func (s *Signer) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	offered := s.Algorithms()
	if algorithm == "" {
		algorithm = offered[0]
	}
	// The key's own format is always possible: ssh-rsa is with no flag set.
	if algorithm != s.keyFormat() && !slices.Contains(offered, algorithm) {
		return nil, s.error(fmt.Errorf("%w: %q asked of a %s key", ErrSignatureType, algorithm, s.keyFormat()))
	}
	req := signRequest{KeyBlob: s.id.Blob, Data: data}
	switch algorithm {
	case ssh.KeyAlgoRSASHA256:
		req.Flags = flagRSASHA256
	case ssh.KeyAlgoRSASHA512:
		req.Flags = flagRSASHA512
	}
	reply, err := s.conn.request(s.ctx, "sign", s.conn.opts.SignTimeout, req.marshal())
	if err != nil {
		return nil, err
	}
	if reply[0] == msgFailure {
		return nil, s.error(ErrRefused)
	}
	sig, err := parseSignResponse(reply)
	if err != nil {
		return nil, s.conn.fail(&UnavailableError{Address: s.conn.address, Op: "sign", Err: err})
	}
	if sig.Format != algorithm && !(algorithm == ssh.KeyAlgoSKECDSA256 && sig.Format == webauthnSignature) {
		return nil, s.error(&SignatureTypeError{Got: sig.Format, Want: algorithm})
	}
	return sig, nil
}

// error names the key beside the cause.
func (s *Signer) error(err error) error {
	return &SignError{Fingerprint: s.id.Fingerprint(), Comment: s.id.Comment, Err: err}
}

// parseSignResponse reads SSH_AGENT_SIGN_RESPONSE (section 3.6).
func parseSignResponse(msg []byte) (*ssh.Signature, error) {
	f := wire.NewReader(msg)
	kind, blob := f.Byte(), f.Bytes()
	if kind != msgSignResponse || f.End() != nil {
		return nil, fmt.Errorf("%w: signature", ErrMalformed)
	}
	return parseSignature(blob)
}

// parseSignature reads string format, string blob, and what sk-* keys append:
// flags and a counter (PROTOCOL.u2f).
func parseSignature(b []byte) (*ssh.Signature, error) {
	f := wire.NewReader(b)
	sig := &ssh.Signature{Format: f.Text(), Blob: f.Bytes()}
	if f.Err() != nil {
		return nil, fmt.Errorf("%w: signature", ErrMalformed)
	}
	sig.Rest = f.Rest()
	return sig, nil
}
