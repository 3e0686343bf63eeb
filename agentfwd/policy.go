package agentfwd

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Policy narrows what a remote host can do with a forwarded agent, beyond what
// OpenSSH offers. Its zero value lists and signs with every key and refuses
// everything else; a nil *Policy passes everything, as ssh does.
//
// session-bind@openssh.com always passes: the ssh that runs on the remote host
// names the next server with it, and without it a key that is restricted to a
// chain of hosts could not go past the first. It frees nothing, as ours came
// before it: the agent then allows only what the chain of both does.
type Policy struct {
	// Keys are those that the host may see; every other key is invisible to it
	// and cannot sign. nil means all.
	Keys *KeySet

	// Confirm is asked before each signature, one question at a time for all
	// channels of a Forwarder. false or an error refuses this signature. A server
	// can bring about any number of calls; it is for Confirm to stop asking a
	// person at some time. ctx ends when the channel or the Forwarder does. nil
	// means no question.
	Confirm func(ctx context.Context, use Use) (bool, error)

	// Log is told each request but lists and session-binds, carried out or
	// not, once its outcome is known. It is called from the goroutine of the
	// channel, so concurrently. nil means no log.
	Log func(use Use)

	// AllowAll passes every request that neither Keys nor Confirm refuses, as a
	// nil *Policy does, smartcards and unknown requests included. It is for a
	// Policy that only logs. The fields below do not matter then.
	AllowAll bool

	// AllowAdd lets the host add keys to the agent. (Keys on a smartcard or in
	// a PKCS#11 library it can never add: the agent would load that library.)
	AllowAdd bool
	// AllowRemove lets the host remove the keys that it sees from the agent;
	// all at once only where Keys is nil.
	AllowRemove bool
	// AllowLock lets the host lock and unlock the agent.
	AllowLock bool
	// AllowExtensions names extension requests that pass, such as "query".
	AllowExtensions []string
}

// allowsAll reports whether nothing is refused, only logged.
func (p *Policy) allowsAll() bool { return p.AllowAll && p.Keys == nil && p.Confirm == nil }

// Outcome is the result of a request.
type Outcome int

const (
	// OutcomePending is the outcome while Confirm is called.
	OutcomePending Outcome = iota
	// OutcomeDone means that the agent carried out the request.
	OutcomeDone
	// OutcomeDenied means that the policy refused the request.
	OutcomeDenied
	// OutcomeDeclined means that Confirm refused the request.
	OutcomeDeclined
	// OutcomeFailed means that the agent refused the request or failed.
	OutcomeFailed
)

// String returns a word for logs.
func (o Outcome) String() string {
	switch o {
	case OutcomeDone:
		return "done"
	case OutcomeDenied:
		return "denied"
	case OutcomeDeclined:
		return "declined"
	case OutcomeFailed:
		return "failed"
	}
	return "pending"
}

// Use is one request of a remote host to the forwarded agent.
type Use struct {
	Time    time.Time
	Host    string  // the host that the agent is forwarded to
	Op      string  // "sign", "add", "remove", "remove-all", "lock", "unlock", "smartcard", "extension" or "unknown"
	Detail  string  // the extension's name: from the remote host, unescaped
	Outcome Outcome // OutcomePending for Confirm
	Err     error   // why, if not OutcomeDone; may be nil

	// The rest is for "sign" alone.
	Key  Identity // with its comment, if the agent lists the key
	Data SignedData
}

// KeySet is a set of keys. The zero value is empty.
type KeySet struct {
	names []keyName
}

// keyName is one spec of a KeySet: exactly one field is set.
type keyName struct {
	sha256, md5, comment string
	blob                 []byte
}

// NewKeySet returns the set of the keys that specs name. A spec is a fingerprint
// as ssh-add -l prints it (SHA256:… or MD5:…), the path of a public key file,
// which ends in .pub, or the whole comment of a key. A key also stands for its
// certificates. A certificate file stands for this certificate only.
func NewKeySet(specs ...string) (*KeySet, error) {
	set := &KeySet{}
	for _, spec := range specs {
		name, err := parseKeyName(spec)
		if err != nil {
			return nil, err
		}
		set.names = append(set.names, name)
	}
	return set, nil
}

// parseKeyName reads one spec. What looks like a fingerprint must be one, so
// that a typing error does not become a comment that nobody has.
func parseKeyName(spec string) (keyName, error) {
	switch {
	case spec == "":
		return keyName{}, fmt.Errorf("agentfwd: empty key name")
	case strings.HasPrefix(spec, "SHA256:"):
		// ssh-keygen shows no padding, but other programs do.
		digits := strings.TrimRight(spec[len("SHA256:"):], "=")
		if sum, err := base64.RawStdEncoding.DecodeString(digits); err != nil || len(sum) != 32 {
			return keyName{}, fmt.Errorf("agentfwd: invalid fingerprint %q", spec)
		}
		return keyName{sha256: "SHA256:" + digits}, nil
	case strings.HasPrefix(spec, "MD5:"):
		if !validMD5(spec[len("MD5:"):]) {
			return keyName{}, fmt.Errorf("agentfwd: invalid fingerprint %q", spec)
		}
		return keyName{md5: "MD5:" + strings.ToLower(spec[len("MD5:"):])}, nil
	case strings.HasSuffix(spec, ".pub"):
		return readKeyFile(spec)
	}
	return keyName{comment: spec}, nil
}

// validMD5 says whether digits are 16 pairs of hexadecimal digits and colons.
func validMD5(digits string) bool {
	pairs := strings.Split(digits, ":")
	for _, pair := range pairs {
		if len(pair) != 2 || strings.Trim(pair, "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return len(pairs) == 16
}

// readKeyFile reads the first key of a public key file.
func readKeyFile(path string) (keyName, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return keyName{}, fmt.Errorf("agentfwd: public key file: %w", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return keyName{}, fmt.Errorf("agentfwd: public key file %q: %w", path, err)
	}
	return keyName{blob: key.Marshal()}, nil
}

// Contains reports whether the set contains id. A nil set contains nothing.
func (s *KeySet) Contains(id Identity) bool {
	if s == nil {
		return false
	}
	for _, name := range s.names {
		if name.matches(id) {
			return true
		}
	}
	return false
}

// matches says whether the spec names the identity.
func (n keyName) matches(id Identity) bool {
	switch {
	case n.sha256 != "":
		return n.sha256 == id.Fingerprint()
	case n.md5 != "":
		return n.md5 == id.fingerprintMD5()
	case n.blob != nil:
		// A plain key's blob is also what is inside its certificates.
		return bytes.Equal(n.blob, id.Blob) || bytes.Equal(n.blob, id.plainBlob())
	}
	return n.comment == id.Comment
}
