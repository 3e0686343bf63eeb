package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// protection encrypts and authenticates the packets of one direction under one
// set of keys (RFC 4253, section 6). A whole packet is its length field, the
// length of the padding, the payload, the padding and tagSize bytes.
type protection interface {
	// blockSize is what the encrypted part of a packet is a multiple of.
	blockSize() int

	// lengthApart reports whether the length field is no part of that.
	lengthApart() bool

	tagSize() int

	// seal protects a whole packet in place.
	seal(seq uint32, packet []byte)

	// headSize is the number of bytes that length needs.
	headSize() int

	// length returns the length field of a packet that begins with head. It may
	// decrypt head in place.
	length(seq uint32, head []byte) uint32

	// open authenticates and decrypts a whole packet in place, for which length
	// was called.
	open(seq uint32, packet []byte) error

	// clear overwrites what it can of the keys.
	clear()
}

// cipherSuite is a row of the table of ciphers.
type cipherSuite struct {
	name             string
	keySize, ivSize  int
	aead             bool // it authenticates, and no MAC is negotiated
	protect          func(key, iv []byte, mac *macState, opening bool) (protection, error)
	smallBlocks      bool // blocks of less than 16 bytes are rekeyed earlier
	unsafeForDefault bool
}

// ciphers returns the table. It is a function so that no work is done at start.
func ciphers() []cipherSuite {
	return []cipherSuite{
		{name: "chacha20-poly1305@openssh.com", keySize: 64, aead: true, protect: newChaCha, smallBlocks: true},
		{name: "aes128-gcm@openssh.com", keySize: 16, ivSize: 12, aead: true, protect: newGCM},
		{name: "aes256-gcm@openssh.com", keySize: 32, ivSize: 12, aead: true, protect: newGCM},
		{name: "aes128-ctr", keySize: 16, ivSize: 16, protect: newCTR},
		{name: "aes192-ctr", keySize: 24, ivSize: 16, protect: newCTR},
		{name: "aes256-ctr", keySize: 32, ivSize: 16, protect: newCTR},
		{name: "aes128-cbc", keySize: 16, ivSize: 16, protect: newAESCBC, unsafeForDefault: true},
		{name: "aes192-cbc", keySize: 24, ivSize: 16, protect: newAESCBC, unsafeForDefault: true},
		{name: "aes256-cbc", keySize: 32, ivSize: 16, protect: newAESCBC, unsafeForDefault: true},
		{name: "3des-cbc", keySize: 24, ivSize: 8, protect: new3DESCBC, smallBlocks: true, unsafeForDefault: true},
	}
}

func cipherByName(name string) *cipherSuite {
	for _, s := range ciphers() {
		if s.name == name {
			return &s
		}
	}
	return nil
}

// macSuite is a row of the table of MACs.
type macSuite struct {
	name    string
	keySize int
	size    int
	etm     bool // encrypt-then-MAC: the length is sent in the clear
	hash    func() hash.Hash
}

func macs() []macSuite {
	return []macSuite{
		{"hmac-sha2-256-etm@openssh.com", 32, 32, true, sha256.New},
		{"hmac-sha2-512-etm@openssh.com", 64, 64, true, sha512.New},
		{"hmac-sha1-etm@openssh.com", 20, 20, true, sha1.New},
		{"hmac-sha2-256", 32, 32, false, sha256.New},
		{"hmac-sha2-512", 64, 64, false, sha512.New},
		{"hmac-sha1", 20, 20, false, sha1.New},
		{"hmac-sha1-96", 20, 12, false, sha1.New},
	}
}

func macByName(name string) *macSuite {
	for _, s := range macs() {
		if s.name == name {
			return &s
		}
	}
	return nil
}

// macState computes MACs under one key.
type macState struct {
	suite *macSuite
	hash  hash.Hash
	seq   [4]byte
	sum   [sha512.Size]byte
}

func newMAC(suite *macSuite, key []byte) *macState {
	return &macState{suite: suite, hash: hmac.New(suite.hash, key)}
}

// compute returns the MAC of a packet, valid until the next call.
func (m *macState) compute(seq uint32, data []byte) []byte {
	m.seq = [4]byte{byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq)}
	m.hash.Reset()
	m.hash.Write(m.seq[:])
	m.hash.Write(data)
	return m.hash.Sum(m.sum[:0])[:m.suite.size]
}

func (m *macState) verify(seq uint32, data, tag []byte) error {
	if !hmac.Equal(m.compute(seq, data), tag) {
		return ErrCorrupted
	}
	return nil
}

// plain is the protection before the first key exchange: none.
type plain struct{}

func (plain) blockSize() int            { return 8 }
func (plain) lengthApart() bool         { return false }
func (plain) tagSize() int              { return 0 }
func (plain) seal(uint32, []byte)       {}
func (plain) headSize() int             { return 4 }
func (plain) open(uint32, []byte) error { return nil }
func (plain) clear()                    {}
func (plain) length(_ uint32, head []byte) uint32 {
	return be32(head)
}

// gcm is AES-GCM as RFC 5647 and OpenSSH have it: the length is sent in the
// clear and authenticated, the nonce counts packets.
type gcm struct {
	aead  cipher.AEAD
	nonce [12]byte
}

func newGCM(key, iv []byte, _ *macState, _ bool) (protection, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	g := &gcm{aead: aead}
	copy(g.nonce[:], iv)
	return g, nil
}

func (*gcm) blockSize() int                      { return 16 }
func (*gcm) lengthApart() bool                   { return true }
func (*gcm) tagSize() int                        { return 16 }
func (*gcm) headSize() int                       { return 4 }
func (*gcm) length(_ uint32, head []byte) uint32 { return be32(head) }
func (g *gcm) clear()                            { clear(g.nonce[:]) }

func (g *gcm) seal(_ uint32, p []byte) {
	n := len(p) - 16
	g.aead.Seal(p[4:4], g.nonce[:], p[4:n], p[:4])
	g.next()
}

func (g *gcm) open(_ uint32, p []byte) error {
	_, err := g.aead.Open(p[4:4], g.nonce[:], p[4:], p[:4])
	g.next()
	if err != nil {
		return ErrCorrupted
	}
	return nil
}

// next increments the invocation counter, the last eight bytes of the nonce.
func (g *gcm) next() {
	for i := len(g.nonce) - 1; i >= 4; i-- {
		if g.nonce[i]++; g.nonce[i] != 0 {
			return
		}
	}
}

// stream is a cipher in counter or CBC mode, with a MAC of its own.
type stream struct {
	crypt func(dst, src []byte) // encrypts or decrypts whole blocks
	block int
	mac   *macState
	cbc   bool
}

func newCTR(key, iv []byte, mac *macState, _ bool) (protection, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &stream{crypt: cipher.NewCTR(block, iv).XORKeyStream, block: block.BlockSize(), mac: mac}, nil
}

func newAESCBC(key, iv []byte, mac *macState, opening bool) (protection, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return newCBC(block, iv, mac, opening), nil
}

func new3DESCBC(key, iv []byte, mac *macState, opening bool) (protection, error) {
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, err
	}
	return newCBC(block, iv, mac, opening), nil
}

func newCBC(block cipher.Block, iv []byte, mac *macState, opening bool) protection {
	s := &stream{block: block.BlockSize(), mac: mac, cbc: true}
	if opening {
		s.crypt = cipher.NewCBCDecrypter(block, iv).CryptBlocks
	} else {
		s.crypt = cipher.NewCBCEncrypter(block, iv).CryptBlocks
	}
	return s
}

func (s *stream) blockSize() int    { return s.block }
func (s *stream) lengthApart() bool { return s.mac.suite.etm }
func (s *stream) tagSize() int      { return s.mac.suite.size }
func (s *stream) clear()            {}

func (s *stream) headSize() int {
	if s.mac.suite.etm {
		return 4
	}
	return s.block
}

func (s *stream) seal(seq uint32, p []byte) {
	n := len(p) - s.mac.suite.size
	if s.mac.suite.etm {
		s.crypt(p[4:n], p[4:n])
		copy(p[n:], s.mac.compute(seq, p[:n]))
		return
	}
	copy(p[n:], s.mac.compute(seq, p[:n]))
	s.crypt(p[:n], p[:n])
}

func (s *stream) length(_ uint32, head []byte) uint32 {
	if !s.mac.suite.etm {
		s.crypt(head, head)
	}
	return be32(head)
}

func (s *stream) open(seq uint32, p []byte) error {
	n := len(p) - s.mac.suite.size
	if s.mac.suite.etm {
		if err := s.mac.verify(seq, p[:n], p[n:]); err != nil {
			return err
		}
		s.crypt(p[4:n], p[4:n])
		return nil
	}
	s.crypt(p[s.block:n], p[s.block:n])
	return s.mac.verify(seq, p[:n], p[n:])
}

func be32(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}
