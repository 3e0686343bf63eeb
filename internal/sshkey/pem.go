package sshkey

import (
	"bytes"
	"crypto/des"
	"crypto/md5"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
)

// parsePEM parses the first block that holds a private key. Others may stand
// before it: certificates, parameters, attributes, public keys.
func parsePEM(text []byte, s *secret) (*Private, error) {
	var failure error
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := parseBlock(block, s)
		clear(block.Bytes)
		if err == nil {
			return key, nil
		}
		if Reason(err) == nil { // no passphrase could be had
			return nil, err
		}
		if failure == nil || errors.Is(err, ErrPassphrase) {
			failure = err
		}
	}
	if failure == nil {
		return nil, ErrFormat
	}
	return nil, failure
}

func parseBlock(block *pem.Block, s *secret) (*Private, error) {
	if rest, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic)); ok {
		return parseOpenSSH(rest, s)
	}
	der := block.Bytes
	if block.Headers["DEK-Info"] != "" {
		var err error
		if der, err = decryptPEM(block, s); err != nil {
			return nil, err
		}
		defer clear(der)
	}
	key, err := parseDER(der, s)
	if err != nil {
		return nil, err
	}
	return &Private{Key: key}, nil
}

// decryptPEM decrypts a block as OpenSSL has encrypted it (RFC 1421).
func decryptPEM(block *pem.Block, s *secret) ([]byte, error) {
	name, vector, _ := strings.Cut(block.Headers["DEK-Info"], ",")
	c, ok := pemCipher(strings.ToUpper(strings.TrimSpace(name)))
	if !ok {
		return nil, ErrCipher
	}
	iv, err := hex.DecodeString(strings.TrimSpace(vector))
	if err != nil || len(iv) != c.blockSize {
		return nil, ErrFormat
	}
	key, err := s.derive(func(passphrase []byte) ([]byte, error) {
		return pemKey(passphrase, iv[:8], c.keySize), nil
	})
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return c.decrypt(key[:c.keySize], iv, block.Bytes)
}

// pemCipher finds a cipher by OpenSSL's name.
func pemCipher(name string) (blockCipher, bool) {
	end := strings.LastIndexByte(name, '-')
	if end < 0 {
		return blockCipher{}, false
	}
	var mode cipherMode
	switch name[end+1:] {
	case "CBC":
		mode = modeCBC
	case "CFB":
		mode = modeCFB
	case "OFB":
		mode = modeOFB
	case "CTR":
		mode = modeCTR
	default:
		return blockCipher{}, false
	}
	switch name[:end] {
	case "AES-128":
		return aesCipher(16, mode), true
	case "AES-192":
		return aesCipher(24, mode), true
	case "AES-256":
		return aesCipher(32, mode), true
	case "DES-EDE":
		return tripleDESCipher(16, mode), true
	case "DES-EDE3":
		return tripleDESCipher(24, mode), true
	case "DES":
		return blockCipher{des.NewCipher, 8, des.BlockSize, mode}, true
	}
	return blockCipher{}, false
}

// pemKey derives a key of at least size bytes as OpenSSL does for PEM files
// (EVP_BytesToKey, with MD5 and one round). crypto/x509 has this for CBC alone.
func pemKey(passphrase, salt []byte, size int) []byte {
	var key, last []byte
	for len(key) < size {
		h := md5.New()
		h.Write(last)
		h.Write(passphrase)
		h.Write(salt)
		last = h.Sum(nil)
		key = append(key, last...)
	}
	clear(last)
	return key
}
