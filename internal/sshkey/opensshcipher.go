package sshkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"

	"github.com/dchest/bcrypt_pbkdf"
	"golang.org/x/crypto/chacha20"
	//lint:ignore SA1019 chacha20-poly1305@openssh.com is not the AEAD of RFC 8439
	"golang.org/x/crypto/poly1305"

	"github.com/gossh-project/gossh/internal/wire"
)

// maxRounds bounds the rounds of bcrypt_pbkdf: this many take the better part
// of an hour. ssh-keygen takes any number.
const maxRounds = 1 << 20

// maxSalt is bcrypt_pbkdf's.
const maxSalt = 1 << 20

// opensshCipher is a cipher of OpenSSH, as private key files use it.
type opensshCipher struct {
	name                             string
	keySize, vectorSize, block, auth int
	decrypt                          func(key, vector, text, tag []byte) bool // in place
}

// opensshCiphers are those that ssh-keygen -Z takes.
func opensshCiphers() []opensshCipher {
	return []opensshCipher{
		{"none", 0, 0, 8, 0, func(_, _, _, _ []byte) bool { return true }},
		{"3des-cbc", 24, 8, 8, 0, cbc(des.NewTripleDESCipher)},
		{"aes128-cbc", 16, 16, 16, 0, cbc(aes.NewCipher)},
		{"aes192-cbc", 24, 16, 16, 0, cbc(aes.NewCipher)},
		{"aes256-cbc", 32, 16, 16, 0, cbc(aes.NewCipher)},
		{"rijndael-cbc@lysator.liu.se", 32, 16, 16, 0, cbc(aes.NewCipher)},
		{"aes128-ctr", 16, 16, 16, 0, ctr},
		{"aes192-ctr", 24, 16, 16, 0, ctr},
		{"aes256-ctr", 32, 16, 16, 0, ctr},
		{"aes128-gcm@openssh.com", 16, 12, 16, 16, gcm},
		{"aes256-gcm@openssh.com", 32, 12, 16, 16, gcm},
		{"chacha20-poly1305@openssh.com", 64, 0, 8, 16, chachaPoly},
	}
}

// decrypt returns the private section in the clear, a copy. The check numbers
// are still to be compared.
func (c *container) decrypt(s *secret) ([]byte, error) {
	var with *opensshCipher
	for _, known := range opensshCiphers() {
		if known.name == string(c.cipher) {
			with = &known
		}
	}
	encrypted := string(c.kdf) == "bcrypt"
	switch {
	case with == nil, !encrypted && string(c.kdf) != "none":
		return nil, ErrCipher
	case encrypted != (with.name != "none"),
		len(c.private) < with.block, len(c.private)%with.block != 0, len(c.tag) != with.auth:
		return nil, ErrFormat
	}
	if !encrypted {
		return append([]byte(nil), c.private...), nil
	}
	options := wire.NewReader(c.options)
	salt, rounds := options.Bytes(), options.Uint32()
	switch {
	case options.Err() != nil, rounds == 0, len(salt) == 0, len(salt) > maxSalt:
		return nil, ErrFormat
	case rounds > maxRounds:
		return nil, ErrKDFCost
	}
	size := with.keySize + with.vectorSize
	key, err := s.derive(func(passphrase []byte) ([]byte, error) {
		return bcrypt_pbkdf.Key(passphrase, salt, int(rounds), size)
	})
	if err != nil {
		return nil, err
	}
	defer clear(key)
	text := append([]byte(nil), c.private...)
	if !with.decrypt(key[:with.keySize], key[with.keySize:], text, c.tag) {
		clear(text)
		return nil, ErrPassphrase
	}
	return text, nil
}

func cbc(newBlock func([]byte) (cipher.Block, error)) func(key, vector, text, tag []byte) bool {
	return func(key, vector, text, _ []byte) bool {
		block, err := newBlock(key)
		if err != nil {
			return false
		}
		cipher.NewCBCDecrypter(block, vector).CryptBlocks(text, text)
		return true
	}
}

func ctr(key, vector, text, _ []byte) bool {
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	cipher.NewCTR(block, vector).XORKeyStream(text, text)
	return true
}

func gcm(key, vector, text, tag []byte) bool {
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	sealed := append(append([]byte(nil), text...), tag...)
	_, err = aead.Open(text[:0], vector, sealed, nil)
	return err == nil
}

// chachaPoly is chacha20-poly1305@openssh.com (PROTOCOL.chacha20poly1305) of a
// packet with the number 0 and without a length: the first half of the key is
// for the content.
func chachaPoly(key, _, text, tag []byte) bool {
	stream, err := chacha20.NewUnauthenticatedCipher(key[:chacha20.KeySize], make([]byte, chacha20.NonceSize))
	if err != nil {
		return false
	}
	var once, sum [32]byte
	stream.XORKeyStream(once[:], once[:])
	defer clear(once[:])
	poly1305.Sum((*[16]byte)(sum[:16]), text, &once)
	if subtle.ConstantTimeCompare(sum[:16], tag) != 1 {
		return false
	}
	stream.SetCounter(1)
	stream.XORKeyStream(text, text)
	return true
}
