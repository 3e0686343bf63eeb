package client

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/keyhelper"
)

// parseSecurityKey reads an unencrypted FIDO key in OpenSSH's own format
// (PROTOCOL.u2f), a type that x/crypto does not read.
func parseSecurityKey(block *pem.Block) (*keyhelper.SecurityKey, error) {
	rest, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic))
	if !ok {
		return nil, ErrKeyFormat
	}
	var file struct {
		Cipher, KDF, KDFOptions string
		Count                   uint32
		Public, Private         []byte
	}
	if err := ssh.Unmarshal(rest, &file); err != nil {
		return nil, ErrKeyFormat
	}
	if file.Cipher != "none" || file.KDF != "none" || file.Count != 1 {
		return nil, ErrKeyFormat
	}
	public, err := ssh.ParsePublicKey(file.Public)
	if err != nil || !isSecurityKey(public) {
		return nil, ErrKeyFormat
	}
	return securityKeyPart(public, file.Private)
}

// securityKeyPart reads a private section: two numbers that show that it was
// decrypted well, the public key again, what the token needs, a comment.
func securityKeyPart(public ssh.PublicKey, section []byte) (*keyhelper.SecurityKey, error) {
	var check struct {
		One, Two uint32
		Rest     []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(section, &check); err != nil || check.One != check.Two {
		return nil, ErrKeyFormat
	}
	rest, ok := bytes.CutPrefix(check.Rest, public.Marshal())
	if !ok {
		return nil, ErrKeyFormat
	}
	var key struct {
		Flags     uint8
		KeyHandle []byte
		Reserved  []byte
		Comment   string
		Padding   []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(rest, &key); err != nil {
		return nil, ErrKeyFormat
	}
	return &keyhelper.SecurityKey{
		Public: public, Flags: key.Flags, KeyHandle: key.KeyHandle, Reserved: key.Reserved,
	}, nil
}
