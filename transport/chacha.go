package transport

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
	//lint:ignore SA1019 OpenSSH authenticates in another way than RFC 8439, and this is the only implementation
	"golang.org/x/crypto/poly1305"
)

// chaCha is chacha20-poly1305@openssh.com (PROTOCOL.chacha20poly1305): one key
// encrypts the length, the other the rest, and the tag is over both ciphertexts.
//
// The rest is encrypted by the AEAD of RFC 8439, whose key stream is the same
// when the nonce is the sequence number in eight bytes after four zeros: it
// starts at block 1, as OpenSSH's does. That is for the assembly that
// chacha20poly1305 has and chacha20 has not. Its tag is not OpenSSH's, and is
// overwritten.
type chaCha struct {
	body    cipher.AEAD
	bodyKey [32]byte // for the key of Poly1305, block 0
	headKey [32]byte
	nonce   [12]byte
	polyKey [32]byte
	tag     [16]byte
}

func newChaCha(key, _ []byte, _ *macState, _ bool) (protection, error) {
	aead, err := chacha20poly1305.New(key[:32])
	if err != nil {
		return nil, err
	}
	c := &chaCha{body: aead}
	copy(c.bodyKey[:], key[:32])
	copy(c.headKey[:], key[32:])
	return c, nil
}

func (*chaCha) blockSize() int    { return 8 }
func (*chaCha) lengthApart() bool { return true }
func (*chaCha) tagSize() int      { return 16 }
func (*chaCha) headSize() int     { return 4 }

func (c *chaCha) clear() {
	clear(c.bodyKey[:])
	clear(c.headKey[:])
	clear(c.polyKey[:])
}

// xorHead encrypts or decrypts the length field.
func (c *chaCha) xorHead(seq uint32, dst, src []byte) {
	binary.BigEndian.PutUint64(c.nonce[4:], uint64(seq))
	s, err := chacha20.NewUnauthenticatedCipher(c.headKey[:], c.nonce[:])
	if err != nil {
		panic(err) // the sizes are constants
	}
	s.XORKeyStream(dst, src)
}

// authenticate leaves the tag of a packet in c.tag.
func (c *chaCha) authenticate(seq uint32, data []byte) {
	binary.BigEndian.PutUint64(c.nonce[4:], uint64(seq))
	s, err := chacha20.NewUnauthenticatedCipher(c.bodyKey[:], c.nonce[:])
	if err != nil {
		panic(err)
	}
	clear(c.polyKey[:])
	s.XORKeyStream(c.polyKey[:], c.polyKey[:])
	poly1305.Sum(&c.tag, data, &c.polyKey)
}

func (c *chaCha) seal(seq uint32, p []byte) {
	n := len(p) - 16
	c.xorHead(seq, p[:4], p[:4])
	c.body.Seal(p[4:4], c.nonce[:], p[4:n], nil)
	c.authenticate(seq, p[:n])
	copy(p[n:], c.tag[:])
}

func (c *chaCha) length(seq uint32, head []byte) uint32 {
	var clear [4]byte
	c.xorHead(seq, clear[:], head[:4])
	return be32(clear[:])
}

func (c *chaCha) open(seq uint32, p []byte) error {
	n := len(p) - 16
	c.authenticate(seq, p[:n])
	if !equalTags(&c.tag, p[n:]) {
		return ErrCorrupted
	}
	c.body.Seal(p[4:4], c.nonce[:], p[4:n], nil) // decrypts: encryption is the same XOR
	return nil
}

func equalTags(a *[16]byte, b []byte) bool {
	return subtle.ConstantTimeCompare(a[:], b) == 1
}
