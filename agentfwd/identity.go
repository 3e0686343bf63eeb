package agentfwd

import (
	"errors"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// Identity is a key, or a certificate, that an agent holds.
type Identity struct {
	Format  string        // the type that the blob names, such as ssh-ed25519
	Blob    []byte        // the public key or certificate on the wire
	Comment string        // as the agent gave it: may hold control characters
	Key     ssh.PublicKey // nil where x/crypto does not know the type
}

// Fingerprint returns the SHA256:... fingerprint that ssh-add -l shows: that of
// the plain key, for a certificate too.
func (id Identity) Fingerprint() string { return "" }

// Signer signs through the agent connection that listed it. It implements
// ssh.MultiAlgorithmSigner. A failure of this one key is a *SignError.
type Signer struct{ id Identity }

var _ ssh.MultiAlgorithmSigner = (*Signer)(nil)

// Identity returns the key with its comment.
func (s *Signer) Identity() Identity { return s.id }

// PublicKey returns the key or the certificate.
func (s *Signer) PublicKey() ssh.PublicKey { return s.id.Key }

// Algorithms returns the signature algorithms on offer, the preferred first.
func (s *Signer) Algorithms() []string { return nil }

// Sign signs with the preferred algorithm. rand is not used.
func (s *Signer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return nil, errors.ErrUnsupported
}

// SignWithAlgorithm signs with one of Algorithms, or the preferred one if
// algorithm is empty. rand is not used.
func (s *Signer) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	return nil, errors.ErrUnsupported
}

// AddedKey is a private key on its way to an agent.
type AddedKey struct {
	PrivateKey  any              // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, or a pointer to it
	Certificate *ssh.Certificate // goes along with the key, as a second identity; may be nil
	Comment     string
	Lifetime    time.Duration // rounded up to seconds; 0 means until removed
	Confirm     bool          // the agent asks before each use
}
