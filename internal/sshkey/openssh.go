package sshkey

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"math/big"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// opensshMagic begins a private key in OpenSSH's own format (PROTOCOL.key).
const opensshMagic = "openssh-key-v1\x00"

// container is a file in OpenSSH's own format.
type container struct {
	cipher, kdf, options []byte
	public, private      []byte
	tag                  []byte // that of an authenticated cipher
}

func parseContainer(data []byte) (*container, bool) {
	w := wire.NewReader(data)
	c := &container{cipher: w.Bytes(), kdf: w.Bytes(), options: w.Bytes()}
	keys := w.Uint32()
	c.public, c.private = w.Bytes(), w.Bytes()
	c.tag = w.Rest()
	return c, w.Err() == nil && keys == 1
}

// opensshPublic returns the public key that stands in the clear in the first
// block of a file, nil if that is not in OpenSSH's format.
func opensshPublic(text []byte) ssh.PublicKey {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil
		}
		rest, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic))
		if !ok {
			clear(block.Bytes)
			continue
		}
		var pub ssh.PublicKey
		if c, ok := parseContainer(rest); ok {
			pub, _ = ssh.ParsePublicKey(bytes.Clone(c.public)) // which keeps its input
		}
		clear(block.Bytes)
		return pub
	}
}

// parseOpenSSH parses what follows the magic.
func parseOpenSSH(data []byte, s *secret) (*Private, error) {
	c, ok := parseContainer(data)
	if !ok {
		return nil, ErrFormat
	}
	kind := wire.NewReader(c.public).Bytes()
	if !isKnownType(string(kind)) {
		return nil, ErrKeyType
	}
	section, err := c.decrypt(s)
	if err != nil {
		return nil, err
	}
	defer clear(section)
	w := wire.NewReader(section)
	if one, two := w.Uint32(), w.Uint32(); w.Err() != nil || one != two {
		if len(c.options) == 0 {
			return nil, ErrFormat
		}
		return nil, ErrPassphrase
	}
	key, err := readPrivate(w)
	if err != nil {
		return nil, err
	}
	comment := w.Bytes()
	for i, b := range w.Rest() {
		if b != byte(i+1) {
			return nil, ErrFormat
		}
	}
	if w.Err() != nil || bytes.IndexByte(comment, 0) >= 0 {
		return nil, ErrFormat
	}
	p := &Private{Key: key, Comment: string(comment)}
	// The two public keys must be one; an RSA key may be one that x/crypto does
	// not read.
	if pub, err := p.Public(); err != nil || !samePublic(pub.Marshal(), c.public) {
		return nil, ErrFormat
	}
	return p, nil
}

// isKnownType reports whether a key type is one that files may hold.
func isKnownType(name string) bool {
	switch name {
	case ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return true
	}
	return false
}

// samePublic compares two keys in the wire format, where numbers may have
// superfluous zeros.
func samePublic(a, b []byte) bool {
	x, y := wire.NewReader(a), wire.NewReader(b)
	for len(x.Rest()) > 0 {
		if !bytes.Equal(bytes.TrimLeft(x.Bytes(), "\x00"), bytes.TrimLeft(y.Bytes(), "\x00")) {
			return false
		}
	}
	return x.Err() == nil && y.Err() == nil && len(y.Rest()) == 0
}

// readPrivate reads a private key up to its comment.
func readPrivate(w *wire.Reader) (any, error) {
	kind := string(w.Bytes())
	switch kind {
	case ssh.KeyAlgoRSA:
		n, e, d := w.MPInt(maxInteger), w.MPInt(maxInteger), w.MPInt(maxInteger)
		w.MPInt(maxInteger) // the CRT coefficient, which follows from the others
		p, q := w.MPInt(maxInteger), w.MPInt(maxInteger)
		if w.Err() != nil {
			return nil, ErrFormat
		}
		return keyOf(newRSA(n, e, d, []*big.Int{p, q}))
	case ssh.KeyAlgoED25519:
		pub, priv := w.Bytes(), w.Bytes()
		if w.Err() != nil || len(pub) != ed25519.PublicKeySize || len(priv) != ed25519.PrivateKeySize || !bytes.Equal(pub, priv[ed25519.SeedSize:]) {
			return nil, ErrFormat
		}
		return ed25519.PrivateKey(bytes.Clone(priv)), nil
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		name := string(w.Bytes())
		w.Bytes() // the public key, which follows from the private one
		d := w.MPInt(maxInteger)
		for _, c := range curves() {
			if c.ssh == name && kind == "ecdsa-sha2-"+name && w.Err() == nil {
				return keyOf(newECDSA(c.curve, d))
			}
		}
		return nil, ErrFormat
	case ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return readSecurityKey(kind, w)
	}
	return nil, ErrKeyType
}

// readSecurityKey reads a key of a FIDO token (PROTOCOL.u2f).
func readSecurityKey(kind string, w *wire.Reader) (any, error) {
	fields := [][]byte{[]byte(kind)}
	if kind == ssh.KeyAlgoSKECDSA256 {
		fields = append(fields, w.Bytes()) // the curve
	}
	fields = append(fields, w.Bytes(), w.Bytes())
	key := &SecurityKey{
		Application: string(fields[len(fields)-1]),
		Flags:       w.Byte(),
		KeyHandle:   bytes.Clone(w.Bytes()),
		Reserved:    bytes.Clone(w.Bytes()),
	}
	var public []byte
	for _, f := range fields {
		public = wire.AppendString(public, f)
	}
	pub, err := ssh.ParsePublicKey(public)
	if w.Err() != nil || err != nil {
		return nil, ErrFormat
	}
	key.Public = pub
	return key, nil
}
