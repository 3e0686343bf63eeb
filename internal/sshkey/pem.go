package sshkey

import (
	"bytes"
	"crypto/x509"
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

// decryptPEM decrypts a block that RFC 1421 and OpenSSL have encrypted.
func decryptPEM(block *pem.Block, s *secret) ([]byte, error) {
	name, _, _ := strings.Cut(block.Headers["DEK-Info"], ",")
	if !pemCipherKnown(name) {
		return nil, ErrCipher
	}
	der, err := s.derive(func(passphrase []byte) ([]byte, error) {
		//lint:ignore SA1019 weak as it is, it is what these files have
		der, err := x509.DecryptPEMBlock(block, passphrase)
		switch {
		case errors.Is(err, x509.IncorrectPasswordError):
			return nil, ErrPassphrase
		case err != nil:
			return nil, ErrFormat
		}
		return der, nil
	})
	if err != nil {
		return nil, err
	}
	if !isSequence(der) {
		clear(der)
		return nil, ErrPassphrase // one wrong passphrase of 256 gives right padding
	}
	return der, nil
}

// pemCipherKnown reports whether crypto/x509 decrypts with a cipher.
func pemCipherKnown(name string) bool {
	switch strings.TrimSpace(name) {
	case "DES-CBC", "DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC":
		return true
	}
	return false
}

// isSequence reports whether decrypted bytes look like a key: one SEQUENCE that
// begins with a number.
func isSequence(der []byte) bool {
	e, _, ok := readElement(der, 0)
	if !ok || e.tag != tagSequence {
		return false
	}
	first, _, ok := readElement(e.body, 0)
	return ok && (first.tag == tagInteger || first.tag == tagSequence)
}
