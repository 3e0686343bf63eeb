package agentfwd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

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
