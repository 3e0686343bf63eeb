package agentfwd

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Binding proves to an agent to which server a connection is: it has the signature
// of the first exchange hash, which is the session identifier (RFC 4253, section
// 7.2), by the host key.
type Binding struct {
	HostKey   ssh.PublicKey // as the server presented it: a certificate if it has one
	SessionID []byte
	Signature []byte // string format, string blob (RFC 4253, section 6.6)
}

// Verify checks that the signature is one of the session identifier by the host
// key. For a certificate it uses the certified key, as the agent does. Its error
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
