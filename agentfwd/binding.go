package agentfwd

import (
	"net"

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

// Verify says whether the signature is the host key's of the session id.
func (b Binding) Verify() error { return ErrNoBinding }

// KexObserver is a net.Conn that reads along during the first key exchange,
// which is in the clear, and keeps the host key and the signature, which
// x/crypto does not give out. It never changes, delays or stops the stream,
// and stops looking at the server's first SSH_MSG_NEWKEYS.
type KexObserver struct {
	net.Conn
}

// ObserveKex wraps the connection that ssh.NewClientConn is going to use.
// Nothing may have been read from it.
func ObserveKex(conn net.Conn) *KexObserver { return &KexObserver{Conn: conn} }

// Binding returns the binding of the session that ssh.ConnMetadata names by
// sessionID, verified. It is there from the HostKeyCallback's return on; the
// error wraps ErrNoBinding. It is safe for concurrent use.
func (o *KexObserver) Binding(sessionID []byte) (Binding, error) { return Binding{}, ErrNoBinding }
