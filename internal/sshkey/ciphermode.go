package sshkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
)

// blockCipher is a block cipher in a mode of operation.
type blockCipher struct {
	newBlock           func(key []byte) (cipher.Block, error)
	keySize, blockSize int
	mode               cipherMode
}

// cipherMode is a mode of operation with an initialization vector of a block.
type cipherMode int

const (
	modeCBC cipherMode = iota // with padding, the others have none
	modeCFB
	modeOFB
	modeCTR
)

// aesCipher is AES with a key of a size in bytes.
func aesCipher(keySize int, mode cipherMode) blockCipher {
	return blockCipher{aes.NewCipher, keySize, aes.BlockSize, mode}
}

// tripleDESCipher is triple DES with a key of 16 or 24 bytes.
func tripleDESCipher(keySize int, mode cipherMode) blockCipher {
	return blockCipher{tripleDES, keySize, des.BlockSize, mode}
}

// tripleDES takes keys of 16 bytes too, whose first part is also the third.
func tripleDES(key []byte) (cipher.Block, error) {
	full := append(make([]byte, 0, 32), key...)
	defer clear(full[:cap(full)])
	if len(key) == 16 {
		full = append(full, key[:8]...)
	}
	return des.NewTripleDESCipher(full)
}

// decrypt returns the DER of a private key. What is no such thing is the result
// of a wrong key, and ErrPassphrase.
func (c blockCipher) decrypt(key, vector, text []byte) (der []byte, err error) {
	if len(text) == 0 || len(vector) != c.blockSize || c.mode == modeCBC && len(text)%c.blockSize != 0 {
		return nil, ErrFormat
	}
	block, err := c.newBlock(key)
	if err != nil {
		return nil, ErrFormat
	}
	out := make([]byte, len(text))
	der, ok := out, true
	switch c.mode {
	case modeCBC:
		cipher.NewCBCDecrypter(block, vector).CryptBlocks(out, text)
		der, ok = unpad(out, c.blockSize)
	case modeCFB:
		//lint:ignore SA1019 it is what these files have
		cipher.NewCFBDecrypter(block, vector).XORKeyStream(out, text)
	case modeOFB:
		//lint:ignore SA1019 likewise
		cipher.NewOFB(block, vector).XORKeyStream(out, text)
	case modeCTR:
		cipher.NewCTR(block, vector).XORKeyStream(out, text)
	}
	if !ok || !isSequence(der) {
		clear(out)
		return nil, ErrPassphrase
	}
	return der, nil
}

// unpad strips the padding of PKCS#7.
func unpad(text []byte, blockSize int) ([]byte, bool) {
	n := int(text[len(text)-1])
	if n == 0 || n > blockSize || n > len(text) {
		return nil, false
	}
	for _, b := range text[len(text)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return text[:len(text)-n], true
}

// isSequence reports whether decrypted bytes look like a key: one SEQUENCE that
// begins with a number. One wrong passphrase of 256 gives right padding.
func isSequence(der []byte) bool {
	e, _, ok := readElement(der, 0)
	if !ok || e.tag != tagSequence {
		return false
	}
	first, _, ok := readElement(e.body, 0)
	return ok && (first.tag == tagInteger || first.tag == tagSequence)
}
