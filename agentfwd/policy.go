package agentfwd

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"
)

// Policy narrows what a remote host can do with a forwarded agent, beyond what
// OpenSSH offers. Its zero value lists and signs with every key and refuses
// everything else; a nil *Policy passes everything, as ssh does.
type Policy struct {
	// Keys are those that the host may see; every other key is invisible to it
	// and cannot sign. nil means all.
	Keys *KeySet

	// Confirm is asked before each signature, one question at a time for all
	// channels of a Forwarder. false or an error refuses this signature. ctx
	// ends when the channel or the Forwarder does. nil means no question.
	Confirm func(ctx context.Context, use Use) (bool, error)

	// Log is told each signature request, and each request that the policy
	// refused, once its outcome is known. It is called from the goroutine of
	// the channel, so concurrently. nil means no log.
	Log func(use Use)

	// AllowAdd lets the host add keys to the agent.
	AllowAdd bool
	// AllowRemove lets the host remove keys from the agent, one or all.
	AllowRemove bool
	// AllowLock lets the host lock and unlock the agent.
	AllowLock bool
	// AllowExtensions names extension requests that pass.
	// session-bind@openssh.com always does.
	AllowExtensions []string
}

// KeySet is a choice of keys.
type KeySet struct{}

// NewKeySet makes the set of keys that any of the specs names: a fingerprint
// (SHA256:..., MD5:... as ssh-add -l shows it), the path of a public key file
// (it ends in .pub), or else a key's whole comment. No specs make an empty
// set. A key that is named stands for the certificates of that key too; a
// certificate file stands for that certificate alone.
func NewKeySet(specs ...string) (*KeySet, error) { return nil, errors.ErrUnsupported }

// Contains says whether the set names the identity.
func (s *KeySet) Contains(id Identity) bool { return false }

// Purpose says what a signature is for, as far as the signed data shows.
type Purpose int

const (
	// PurposeUnknown is data of a form that this package does not know.
	PurposeUnknown Purpose = iota
	// PurposeUserAuth is a login: SSH_MSG_USERAUTH_REQUEST (RFC 4252, section 7).
	PurposeUserAuth
	// PurposeSSHSig is a file signature (ssh-keygen -Y sign; PROTOCOL.sshsig).
	PurposeSSHSig
)

// Outcome says what became of a request.
type Outcome int

const (
	// OutcomePending is a request not yet decided, as Confirm sees it.
	OutcomePending Outcome = iota
	// OutcomeDone is one that the agent carried out.
	OutcomeDone
	// OutcomeDenied is one that the policy refused, without a question.
	OutcomeDenied
	// OutcomeDeclined is one that Confirm refused.
	OutcomeDeclined
	// OutcomeRefused is one that the agent refused, or failed at.
	OutcomeRefused
)

// Use is one request of a remote host to the forwarded agent.
type Use struct {
	Time    time.Time
	Host    string // the host that the agent is forwarded to
	Op      string // "sign", "add", "remove", "lock", "unlock", "extension", ...
	Detail  string // the extension's name; from the remote host, unescaped
	Outcome Outcome
	Err     error // why, if not OutcomeDone; may be nil

	// The rest is for "sign" alone.
	Key  Identity // with a comment if the agent lists the key
	Data SignedData
}

// SignedData is what a signature request asks to sign, taken apart. All of it
// comes from the remote host.
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

// ParseSignedData takes apart what is to be signed with the key of that blob.
// What it does not know, or what names another key, is PurposeUnknown.
func ParseSignedData(data, keyBlob []byte) SignedData { return SignedData{} }
