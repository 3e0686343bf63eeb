package transport

import (
	"crypto"
	"fmt"

	"github.com/gossh-project/gossh/internal/wire"
)

// transcript is what a key exchange is made of, and what comes out of it.
type transcript struct {
	hash                         crypto.Hash
	clientVersion, serverVersion string
	clientInit, serverInit       []byte
	hostKey, signature           []byte
	secret                       []byte // as hashed, with its length
	sum                          []byte // the exchange hash
}

// finish computes the exchange hash. fields are what the method adds between the
// host key and the secret, in the wire format.
func (t *transcript) finish(fields ...[]byte) {
	h := t.hash.New()
	for _, s := range [][]byte{[]byte(t.clientVersion), []byte(t.serverVersion), t.clientInit, t.serverInit, t.hostKey} {
		h.Write(wire.AppendString(nil, s))
	}
	for _, f := range fields {
		h.Write(f)
	}
	h.Write(t.secret)
	t.sum = h.Sum(nil)
}

// derive returns n bytes of the key that a letter names (RFC 4253, section 7.2).
func (t *transcript) derive(letter byte, sessionID []byte, n int) []byte {
	h := t.hash.New()
	h.Write(t.secret)
	h.Write(t.sum)
	h.Write([]byte{letter})
	h.Write(sessionID)
	key := h.Sum(nil)
	for len(key) < n {
		h.Reset()
		h.Write(t.secret)
		h.Write(t.sum)
		h.Write(key)
		key = h.Sum(key)
	}
	return key[:n]
}

// protection makes the protection of one direction, from the keys that the
// letters name.
func (t *transcript) protection(d Direction, sessionID []byte, iv, key, mac byte, opening bool) (protection, error) {
	s := cipherByName(d.Cipher)
	if s == nil {
		return nil, fmt.Errorf("transport: no cipher %q", d.Cipher)
	}
	var m *macState
	if !s.aead {
		suite := macByName(d.MAC)
		if suite == nil {
			return nil, fmt.Errorf("transport: no MAC %q", d.MAC)
		}
		macKey := t.derive(mac, sessionID, suite.keySize)
		m = newMAC(suite, macKey)
		clear(macKey)
	}
	cipherKey := t.derive(key, sessionID, s.keySize)
	defer clear(cipherKey)
	return s.protect(cipherKey, t.derive(iv, sessionID, s.ivSize), m, opening)
}
