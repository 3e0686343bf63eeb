package hostkey

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// checkRevokedFiles refuses keys that RevokedHostKeys lists, also as the CA of
// a certificate. A file is all or nothing: if it is missing, or a line of it
// cannot be understood, every host is refused (RevokedHostKeys in ssh_config(5)).
func (c *Checker) checkRevokedFiles(t Target, key ssh.PublicKey) error {
	for _, file := range c.opts.RevokedHostKeys {
		if err := checkRevokedFile(file, t, key); err != nil {
			return err
		}
	}
	return nil
}

// checkRevokedFile refuses keys that one file lists.
func checkRevokedFile(file string, t Target, key ssh.PublicKey) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return &RevocationListError{File: file, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Err: err}
	}
	revoked, err := revokedBy(data, key)
	if err != nil {
		return &RevocationListError{File: file, KeyType: KeyType(key), Fingerprint: Fingerprint(key), Err: err}
	}
	if revoked {
		return &RevokedError{
			Host: t.Name(), Key: key, KeyType: KeyType(key), Fingerprint: Fingerprint(key), File: file,
		}
	}
	return nil
}

// revokedBy asks a KRL or a list of public keys.
func revokedBy(data []byte, key ssh.PublicKey) (bool, error) {
	if isKRL(data) {
		k, err := parseKRL(data)
		if err != nil {
			return false, err
		}
		return k.revokes(key), nil
	}
	cert, isCert := key.(*ssh.Certificate)
	num := 0
	for text := range strings.Lines(string(data)) {
		num++
		text = strings.TrimLeft(strings.TrimRight(text, "\r\n"), blanks)
		if text == "" || text[0] == '#' {
			continue
		}
		listed, err := parseKeyText(text)
		if err != nil {
			return false, fmt.Errorf("line %d: %w", num, err)
		}
		if samePublic(key, listed) || isCert && samePublic(cert.SignatureKey, listed) {
			return true, nil
		}
	}
	return false, nil
}
