package sshkey

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"strconv"

	"filippo.io/bigmod"
)

// WideRSA is an RSA key whose public exponent has more than 31 bits, which
// OpenSSL makes and crypto/rsa does not compute with. It is a crypto.Signer for
// RSASSA-PKCS1-v1_5 (RFC 8017), with the arithmetic of crypto/rsa, in constant
// time.
type WideRSA struct {
	public rsa.PublicKey
	d      []byte
}

// newWideRSA makes a key, unless the exponent is too large for an
// rsa.PublicKey.
func newWideRSA(n, e, d *big.Int) (*WideRSA, error) {
	if e.BitLen() >= strconv.IntSize {
		return nil, ErrRSAExponent
	}
	return &WideRSA{
		public: rsa.PublicKey{N: n, E: int(e.Int64())},
		d:      d.FillBytes(make([]byte, (n.BitLen()+7)/8)),
	}, nil
}

// Public returns an *rsa.PublicKey.
func (k *WideRSA) Public() crypto.PublicKey { return &k.public }

// Wipe overwrites the key, which cannot be used any more.
func (k *WideRSA) Wipe() { clear(k.d) }

var errSignature = errors.New("sshkey: cannot sign with the RSA key")

// Sign signs a digest. The result is checked, as a faulty one could give the
// key away.
func (k *WideRSA) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	n, err := bigmod.NewModulus(k.public.N.Bytes())
	if err != nil {
		return nil, errSignature
	}
	message, err := emsaPKCS1(digest, opts.HashFunc(), (k.public.N.BitLen()+7)/8)
	if err != nil {
		return nil, err
	}
	m, err := bigmod.NewNat().SetBytes(message, n)
	if err != nil {
		return nil, errSignature
	}
	s := bigmod.NewNat().Exp(m, k.d, n)
	e := big.NewInt(int64(k.public.E)).Bytes()
	if bigmod.NewNat().Exp(s, e, n).Equal(m) != 1 {
		return nil, errSignature
	}
	return s.Bytes(n), nil
}

// emsaPKCS1 encodes a digest (RFC 8017, section 9.2).
func emsaPKCS1(digest []byte, hash crypto.Hash, size int) ([]byte, error) {
	var prefix string
	switch hash {
	case crypto.SHA1:
		prefix = "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"
	case crypto.SHA256:
		prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	case crypto.SHA512:
		prefix = "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
	default:
		return nil, errSignature
	}
	filler := size - 3 - len(prefix) - len(digest)
	if filler < 8 || len(digest) != hash.Size() {
		return nil, errSignature
	}
	out := append(make([]byte, 0, size), 0, 1)
	for range filler {
		out = append(out, 0xff)
	}
	return append(append(append(out, 0), prefix...), digest...), nil
}
