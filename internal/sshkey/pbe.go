package sshkey

import (
	"crypto/des"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/crypto/scrypt"
)

// Object identifiers of password-based encryption (RFC 8018, RFC 7292, RFC
// 7914).
const (
	pkcs5  = "\x2a\x86\x48\x86\xf7\x0d\x01\x05"
	pkcs12 = "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"
	digest = "\x2a\x86\x48\x86\xf7\x0d\x02"
	aesOID = "\x60\x86\x48\x01\x65\x03\x04\x01"

	oidPBES2      = pkcs5 + "\x0d"
	oidPBKDF2     = pkcs5 + "\x0c"
	oidScrypt     = "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"
	oidPKCS12DES3 = pkcs12 + "\x03"
	oidPKCS12DES2 = pkcs12 + "\x04"
	oidDES3CBC    = "\x2a\x86\x48\x86\xf7\x0d\x03\x07"
	oidDESCBC     = "\x2b\x0e\x03\x02\x07"
)

// Bounds of the cost of a passphrase. The largest take minutes, or a quarter of
// a gigabyte; OpenSSL's own for scrypt is 32 MB.
const (
	maxIterations   = 1 << 28
	maxScryptMemory = 256 << 20
	maxScryptCost   = 1 << 26 // N*r*p
)

// parseEncryptedPKCS8 parses an EncryptedPrivateKeyInfo (RFC 5958).
func parseEncryptedPKCS8(info *ber, s *secret) (any, error) {
	alg := info.algorithm()
	text := info.octets()
	if info.failed {
		return nil, ErrFormat
	}
	decrypt, err := newDecrypter(alg)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 || decrypt.mode == modeCBC && len(text)%decrypt.blockSize != 0 {
		return nil, ErrFormat
	}
	key, err := s.derive(decrypt.derive)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	iv := decrypt.iv
	if iv == nil {
		iv = key[decrypt.keySize:]
	}
	der, err := decrypt.decrypt(key[:decrypt.keySize], iv, text)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	outer := &ber{in: der}
	return parsePlainDER(outer.sequence(tagSequence))
}

// decrypter is a scheme with its parameters. derive gives the key, followed by
// the initialization vector unless that is known.
type decrypter struct {
	blockCipher
	iv     []byte
	derive func(passphrase []byte) ([]byte, error)
}

func newDecrypter(alg algorithm) (*decrypter, error) {
	switch alg.oid {
	case oidPBES2:
		return newPBES2(alg.params)
	case oidPKCS12DES3:
		return newPKCS12(alg.params, 24)
	case oidPKCS12DES2:
		return newPKCS12(alg.params, 16)
	}
	return nil, ErrCipher
}

// newPBES2 reads the parameters of a key derivation and a cipher.
func newPBES2(params []byte) (*decrypter, error) {
	b := &ber{in: params}
	seq := b.sequence(tagSequence)
	kdf, scheme := seq.algorithm(), seq.algorithm()
	if seq.failed {
		return nil, ErrFormat
	}
	block, ok := pbes2Cipher(scheme.oid)
	if !ok {
		return nil, ErrCipher
	}
	d := &decrypter{blockCipher: block}
	vector := &ber{in: scheme.params}
	if d.iv = vector.octets(); vector.failed || len(d.iv) != d.blockSize {
		return nil, ErrFormat
	}
	var err error
	switch kdf.oid {
	case oidPBKDF2:
		d.derive, err = newPBKDF2(kdf.params, d.keySize)
	case oidScrypt:
		d.derive, err = newScrypt(kdf.params, d.keySize)
	default:
		err = ErrCipher
	}
	return d, err
}

// pbes2Cipher finds a cipher by its object identifier.
func pbes2Cipher(oid string) (blockCipher, bool) {
	switch oid {
	case oidDES3CBC:
		return tripleDESCipher(24, modeCBC), true
	case oidDESCBC:
		return blockCipher{des.NewCipher, 8, des.BlockSize, modeCBC}, true
	}
	if len(oid) != len(aesOID)+1 || oid[:len(aesOID)] != aesOID {
		return blockCipher{}, false
	}
	modes := [...]cipherMode{modeCBC, modeOFB, modeCFB}
	number := int(oid[len(aesOID)]) // 20 for each size of key, and in these 2 to 4
	size, mode := number/20, number%20-2
	if size > 2 || mode < 0 || mode >= len(modes) {
		return blockCipher{}, false
	}
	return aesCipher(16+8*size, modes[mode]), true
}

// newPBKDF2 reads PBKDF2-params (RFC 8018).
func newPBKDF2(params []byte, keySize int) (func([]byte) ([]byte, error), error) {
	b := &ber{in: params}
	seq := b.sequence(tagSequence)
	salt, iterations := seq.octets(), seq.small()
	length := keySize
	if seq.peek() == tagInteger {
		length = seq.small()
	}
	hmac := sha1.New
	if seq.peek() == tagSequence {
		if hmac = hmacHash(seq.algorithm().oid); hmac == nil {
			return nil, ErrCipher
		}
	}
	switch {
	case seq.failed, iterations < 1, length != keySize:
		return nil, ErrFormat
	case iterations > maxIterations:
		return nil, ErrKDFCost
	}
	return func(passphrase []byte) ([]byte, error) {
		return pbkdf2.Key(passphrase, salt, iterations, keySize, hmac), nil
	}, nil
}

// hmacHash is the hash of a pseudorandom function, nil for one that is not
// known.
func hmacHash(oid string) func() hash.Hash {
	switch oid {
	case digest + "\x06":
		return md5.New
	case digest + "\x07":
		return sha1.New
	case digest + "\x08":
		return sha256.New224
	case digest + "\x09":
		return sha256.New
	case digest + "\x0a":
		return sha512.New384
	case digest + "\x0b":
		return sha512.New
	case digest + "\x0c":
		return sha512.New512_224
	case digest + "\x0d":
		return sha512.New512_256
	}
	return nil
}

// newScrypt reads scrypt-params (RFC 7914).
func newScrypt(params []byte, keySize int) (func([]byte) ([]byte, error), error) {
	b := &ber{in: params}
	seq := b.sequence(tagSequence)
	salt := seq.octets()
	n, r, p := seq.small(), seq.small(), seq.small()
	length := keySize
	if seq.peek() == tagInteger {
		length = seq.small()
	}
	if seq.failed || n < 2 || n&(n-1) != 0 || r < 1 || p < 1 || length != keySize {
		return nil, ErrFormat
	}
	if r > maxScryptMemory/128 || n > maxScryptMemory/128/r || p > maxScryptCost/(n*r) || p > maxScryptMemory/128/r {
		return nil, ErrKDFCost
	}
	return func(passphrase []byte) ([]byte, error) {
		key, err := scrypt.Key(passphrase, salt, n, r, p, keySize)
		if err != nil {
			return nil, ErrFormat
		}
		return key, nil
	}, nil
}

// newPKCS12 reads the parameters of triple DES in PKCS#12 (RFC 7292, appendix
// C), with a key of two or three parts.
func newPKCS12(params []byte, keySize int) (*decrypter, error) {
	b := &ber{in: params}
	seq := b.sequence(tagSequence)
	salt, iterations := seq.octets(), seq.small()
	switch {
	case seq.failed, iterations < 1:
		return nil, ErrFormat
	case iterations > maxIterations:
		return nil, ErrKDFCost
	}
	d := &decrypter{blockCipher: tripleDESCipher(keySize, modeCBC)}
	d.derive = func(passphrase []byte) ([]byte, error) {
		text := bmpString(passphrase)
		defer clear(text)
		key := pkcs12Key(text, salt, iterations, 1, keySize)
		return append(key, pkcs12Key(text, salt, iterations, 2, des.BlockSize)...), nil
	}
	return d, nil
}

// pkcs12Key derives a key (id 1) or an initialization vector (id 2) with SHA-1
// (RFC 7292, appendix B.2). x/crypto/pkcs12 has this for whole files only.
func pkcs12Key(passphrase, salt []byte, iterations int, id byte, size int) []byte {
	const block = sha1.BlockSize
	input := append(repeated(salt, block), repeated(passphrase, block)...)
	defer clear(input)
	diversifier := make([]byte, block)
	for i := range diversifier {
		diversifier[i] = id
	}
	var out []byte
	for {
		h := sha1.New()
		h.Write(diversifier)
		h.Write(input)
		sum := h.Sum(nil)
		for range iterations - 1 {
			again := sha1.Sum(sum)
			copy(sum, again[:])
		}
		if out = append(out, sum...); len(out) >= size {
			return out[:size]
		}
		addend := repeated(sum, block)[:block]
		for at := 0; at < len(input); at += block {
			addOne(input[at:at+block], addend)
		}
	}
}

// repeated fills whole blocks with a text.
func repeated(text []byte, block int) []byte {
	size := (len(text) + block - 1) / block * block
	out := make([]byte, 0, size)
	for len(out) < size {
		out = append(out, text[:min(len(text), size-len(out))]...)
	}
	return out
}

// addOne adds addend and 1 to a number, both big-endian and of one length.
func addOne(number, addend []byte) {
	carry := 1
	for i := len(number) - 1; i >= 0; i-- {
		carry += int(number[i]) + int(addend[i])
		number[i] = byte(carry)
		carry >>= 8
	}
}
