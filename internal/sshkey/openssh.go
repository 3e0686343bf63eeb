package sshkey

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"math/big"

	"golang.org/x/crypto/ssh"
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
	w := &wire{in: data}
	c := &container{cipher: w.string(), kdf: w.string(), options: w.string()}
	keys := w.uint32()
	c.public, c.private = w.string(), w.string()
	c.tag = w.in
	return c, !w.failed && keys == 1
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
	kind := (&wire{in: c.public}).string()
	if !isKnownType(string(kind)) {
		return nil, ErrKeyType
	}
	section, err := c.decrypt(s)
	if err != nil {
		return nil, err
	}
	defer clear(section)
	w := &wire{in: section}
	if one, two := w.uint32(), w.uint32(); w.failed || one != two {
		if len(c.options) == 0 {
			return nil, ErrFormat
		}
		return nil, ErrPassphrase
	}
	key, err := readPrivate(w)
	if err != nil {
		return nil, err
	}
	comment := w.string()
	for i, b := range w.in {
		if b != byte(i+1) {
			return nil, ErrFormat
		}
	}
	if w.failed || bytes.IndexByte(comment, 0) >= 0 {
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
	x, y := &wire{in: a}, &wire{in: b}
	for len(x.in) > 0 {
		if !bytes.Equal(bytes.TrimLeft(x.string(), "\x00"), bytes.TrimLeft(y.string(), "\x00")) {
			return false
		}
	}
	return !x.failed && !y.failed && len(y.in) == 0
}

// readPrivate reads a private key up to its comment.
func readPrivate(w *wire) (any, error) {
	kind := string(w.string())
	switch kind {
	case ssh.KeyAlgoRSA:
		n, e, d := w.number(), w.number(), w.number()
		w.number() // the CRT coefficient, which follows from the others
		p, q := w.number(), w.number()
		if w.failed {
			return nil, ErrFormat
		}
		return keyOf(newRSA(n, e, d, []*big.Int{p, q}))
	case ssh.KeyAlgoED25519:
		pub, priv := w.string(), w.string()
		if w.failed || len(pub) != ed25519.PublicKeySize || len(priv) != ed25519.PrivateKeySize || !bytes.Equal(pub, priv[ed25519.SeedSize:]) {
			return nil, ErrFormat
		}
		return ed25519.PrivateKey(bytes.Clone(priv)), nil
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		name := string(w.string())
		w.string() // the public key, which follows from the private one
		d := w.number()
		for _, c := range curves() {
			if c.ssh == name && kind == "ecdsa-sha2-"+name && !w.failed {
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
func readSecurityKey(kind string, w *wire) (any, error) {
	fields := [][]byte{[]byte(kind)}
	if kind == ssh.KeyAlgoSKECDSA256 {
		fields = append(fields, w.string()) // the curve
	}
	fields = append(fields, w.string(), w.string())
	key := &SecurityKey{
		Application: string(fields[len(fields)-1]),
		Flags:       w.byte(),
		KeyHandle:   bytes.Clone(w.string()),
		Reserved:    bytes.Clone(w.string()),
	}
	var public []byte
	for _, f := range fields {
		public = appendString(public, f)
	}
	pub, err := ssh.ParsePublicKey(public)
	if w.failed || err != nil {
		return nil, ErrFormat
	}
	key.Public = pub
	return key, nil
}
