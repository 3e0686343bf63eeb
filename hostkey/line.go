package hostkey

import (
	"crypto/hmac"
	"crypto/sha1" // the hash of |1| names; it hides, it does not protect
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/pattern"
)

// Marker is the optional first field of a known_hosts line.
type Marker int

const (
	MarkerNone    Marker = iota
	MarkerCA             // @cert-authority
	MarkerRevoked        // @revoked
)

const (
	hashMagic = "|1|"
	blanks    = " \t"
)

var (
	errMarker    = errors.New("invalid marker")
	errHash      = errors.New("malformed hashed host name")
	errTruncated = errors.New("truncated before the key")
	errKeyType   = errors.New("key is not of the type that the line names")
)

// line is a known_hosts line cut into fields; the key is decoded only when
// somebody asks for it, which is what makes long files cheap.
type line struct {
	text   string // as in the file, without the newline
	num    int    // from 1
	marker Marker
	hosts  string
	key    string // "type base64 comment"
}

// parseLine cuts a line; ok is false for comments and blank lines. A tab ends a
// marker as well as a blank does; OpenSSH takes such a line for a bad one.
func parseLine(text string, num int) (l line, ok bool, err error) {
	l = line{text: text, num: num}
	rest := strings.TrimLeft(text, blanks)
	if rest == "" || rest[0] == '#' || rest[0] == '\r' {
		return l, false, nil
	}
	if rest[0] == '@' {
		name, after := cutField(rest)
		switch name {
		case "@cert-authority":
			l.marker = MarkerCA
		case "@revoked":
			l.marker = MarkerRevoked
		default:
			return l, true, fmt.Errorf("%w %q", errMarker, name)
		}
		// Only one marker may be used on a line.
		if rest = after; strings.HasPrefix(rest, "@") {
			return l, true, errMarker
		}
	}
	l.hosts, l.key = cutField(rest)
	return l, true, nil
}

// cutField takes a field and the blanks after it off the front of s.
func cutField(s string) (field, rest string) {
	i := strings.IndexAny(s, blanks)
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], blanks)
}

// hashed reports a name of the form |1|salt|hash.
func (l *line) hashed() bool { return strings.HasPrefix(l.hosts, "|") }

// matches compares a host, in lower case and with "[]:port" where it is due,
// with the line's names. An error means that the line is malformed.
func (l *line) matches(host string) (bool, error) {
	if !l.hashed() {
		return matchHosts(host, l.hosts), nil
	}
	// One hash is the whole field: "|1|salt|hash,other" matches nothing.
	salt, hash, ok := strings.Cut(strings.TrimPrefix(l.hosts, hashMagic), "|")
	if !ok || !strings.HasPrefix(l.hosts, hashMagic) {
		return false, errHash
	}
	var saltBytes, sum [sha1.Size + 2]byte // room for what DecodedLen announces
	n, err := decodeBase64(saltBytes[:], salt)
	if err != nil || n != sha1.Size {
		return false, errHash
	}
	n, err = decodeBase64(sum[:], hash)
	if err != nil {
		return false, nil
	}
	return hmac.Equal(sum[:n], hashName(saltBytes[:sha1.Size], host)), nil
}

// decodeBase64 decodes into dst, which must be long enough for any good input.
func decodeBase64(dst []byte, s string) (int, error) {
	if base64.StdEncoding.DecodedLen(len(s)) > len(dst) {
		return 0, errHash
	}
	return base64.StdEncoding.Decode(dst, []byte(s))
}

// hashName is HMAC-SHA1 of the name, keyed by the salt.
func hashName(salt []byte, name string) []byte {
	h := hmac.New(sha1.New, salt)
	io.WriteString(h, name) // a hash never fails
	return h.Sum(nil)
}

// newHashedName is the |1| form of a name under a fresh salt.
func newHashedName(random io.Reader, name string) (string, error) {
	salt := make([]byte, sha1.Size)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("salt for a hashed name: %w", err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return hashMagic + b64(salt) + "|" + b64(hashName(salt, name)), nil
}

// publicKey decodes the key. The type that the line names must be the key's
// own; a signature algorithm ("rsa-sha2-512") stands for its key type, as in
// OpenSSH.
func (l *line) publicKey() (ssh.PublicKey, error) {
	return parseKeyText(l.key)
}

// parseKeyText decodes "type base64 comment".
func parseKeyText(text string) (ssh.PublicKey, error) {
	name, rest := cutField(text)
	b64, _ := cutField(rest)
	if name == keyAlgoDSA {
		return nil, fmt.Errorf("%w: %s", errKeyType, name)
	}
	if name == "" || name[0] == '#' || b64 == "" || b64[0] == '#' {
		return nil, errTruncated
	}
	blob, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, err
	}
	if keyFormat(name) != key.Type() {
		return nil, fmt.Errorf("%w: %s is %s", errKeyType, name, key.Type())
	}
	return key, nil
}

// keyText is the form in which a key is written to a file.
func keyText(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// matchHosts reports whether a host matches the comma-separated list of a
// known_hosts line (PATTERNS in ssh_config(5)). It ignores case. A match of a
// negated pattern at any place in the list means that the list does not match.
func matchHosts(host, list string) bool {
	matched := false
	for p := range strings.SplitSeq(list, ",") {
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		if !pattern.MatchFold(host, p) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}
