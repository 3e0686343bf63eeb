package agentfwd

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Binding proves to an agent which server a connection is with: the host's
// signature of the first key exchange hash, which is the session identifier
// (RFC 4253, section 7.2).
type Binding struct {
	HostKey   ssh.PublicKey // as the server presented it: a certificate if it has one
	SessionID []byte
	Signature []byte // string format, string blob (RFC 4253, section 6.6)
}

// Verify says whether the signature is the host key's of the session id; for a
// certificate, that of the key certified, as the agent checks it. The error
// wraps ErrNoBinding.
func (b Binding) Verify() error {
	if b.HostKey == nil || len(b.SessionID) == 0 {
		return ErrNoBinding
	}
	sig, err := parseSignature(b.Signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoBinding, err)
	}
	if err := b.HostKey.Verify(b.SessionID, sig); err != nil {
		return fmt.Errorf("%w: %w", ErrNoBinding, err)
	}
	return nil
}
