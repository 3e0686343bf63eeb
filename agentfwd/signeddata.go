package agentfwd

import (
	"bytes"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// Purpose is the purpose of a signature, as far as the signed data shows it.
type Purpose int

const (
	// PurposeUnknown means that the form of the data is unknown.
	PurposeUnknown Purpose = iota
	// PurposeUserAuth is a login: SSH_MSG_USERAUTH_REQUEST (RFC 4252, section 7).
	PurposeUserAuth
	// PurposeSSHSig is a file signature (ssh-keygen -Y sign; PROTOCOL.sshsig).
	PurposeSSHSig
)

// String returns a word for logs.
func (p Purpose) String() string {
	switch p {
	case PurposeUserAuth:
		return "userauth"
	case PurposeSSHSig:
		return "sshsig"
	}
	return "unknown"
}

// SignedData is the parsed data of a signature request. All of it comes from the
// remote host, and nothing is escaped.
type SignedData struct {
	Purpose Purpose

	// Of PurposeUserAuth:
	SessionID []byte
	User      string
	Service   string // ssh-connection
	Method    string // publickey or publickey-hostbound-v00@openssh.com
	// HostKey is the server that the login is for: named in the request, or by
	// a session-bind of the same session id on the same connection. nil if
	// neither was there.
	HostKey ssh.PublicKey

	// Of PurposeSSHSig:
	Namespace     string
	HashAlgorithm string
}

// Methods of a login by key: that of RFC 4252, and OpenSSH's that names the
// host key too (PROTOCOL, section 3.1).
const (
	methodPublicKey = "publickey"
	methodHostBound = "publickey-hostbound-v00@openssh.com"
)

const (
	msgUserAuthRequest = 50
	sshsigMagic        = "SSHSIG"
)

// ParseSignedData parses data that is to be signed with the key of keyBlob. If it
// is of unknown form, or names another key, Purpose is PurposeUnknown.
func ParseSignedData(data, keyBlob []byte) SignedData {
	if rest, ok := bytes.CutPrefix(data, []byte(sshsigMagic)); ok {
		return parseSSHSig(rest)
	}
	return parseUserAuth(data, keyBlob)
}

// parseSSHSig reads what follows the magic: string namespace, string reserved,
// string hash algorithm, string hash.
func parseSSHSig(rest []byte) SignedData {
	f := wire.NewReader(rest)
	d := SignedData{Purpose: PurposeSSHSig, Namespace: f.Text()}
	f.Bytes()
	d.HashAlgorithm = f.Text()
	f.Bytes()
	if f.End() != nil {
		return SignedData{}
	}
	return d
}

// parseUserAuth reads what RFC 4252, section 7, has signed. It is as strict as
// ssh-agent, which lets restricted keys sign nothing else.
func parseUserAuth(data, keyBlob []byte) SignedData {
	f := wire.NewReader(data)
	d := SignedData{Purpose: PurposeUserAuth, SessionID: bytes.Clone(f.Bytes())}
	kind := f.Byte()
	d.User, d.Service, d.Method = f.Text(), f.Text(), f.Text()
	hasSignature := f.Byte()
	f.Bytes() // the signature's algorithm
	key := f.Bytes()
	if d.Method == methodHostBound {
		hostKey, err := ssh.ParsePublicKey(f.Bytes())
		if err != nil {
			return SignedData{}
		}
		d.HostKey = hostKey
	} else if d.Method != methodPublicKey {
		return SignedData{}
	}
	if f.End() != nil || kind != msgUserAuthRequest || len(d.SessionID) == 0 || hasSignature != 1 || !bytes.Equal(key, keyBlob) {
		return SignedData{}
	}
	return d
}
