package client

//lint:file-ignore SA1019 old servers know no other keys; they have to be asked for by name

import (
	"bytes"
	"crypto/dsa" // on file since before anything else was: the server decides whether it is good enough
	"encoding/pem"
	"errors"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// opensshMagic begins a private key in OpenSSH's own format (PROTOCOL.key).
const opensshMagic = "openssh-key-v1\x00"

var errNotDSA = errors.New("no unencrypted ssh-dss key")

// parseOpenSSHDSA reads an unencrypted ssh-dss key in OpenSSH's own format,
// the one type that x/crypto signs with and does not read. An encrypted one
// needs x/crypto's bcrypt_pbkdf, which it keeps to itself.
func parseOpenSSHDSA(block *pem.Block) (*dsa.PrivateKey, error) {
	rest, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic))
	if !ok {
		return nil, errNotDSA
	}
	var file struct {
		Cipher, KDF, KDFOptions string
		Count                   uint32
		Public, Private         []byte
	}
	if err := ssh.Unmarshal(rest, &file); err != nil {
		return nil, err
	}
	if file.Cipher != "none" || file.KDF != "none" || file.Count != 1 {
		return nil, errNotDSA
	}
	var key struct {
		Check1, Check2 uint32
		Type           string
		P, Q, G, Y, X  *big.Int
		Comment        string
		Padding        []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(file.Private, &key); err != nil {
		return nil, err
	}
	if key.Type != ssh.InsecureKeyAlgoDSA || key.Check1 != key.Check2 {
		return nil, errNotDSA
	}
	return &dsa.PrivateKey{
		PublicKey: dsa.PublicKey{Parameters: dsa.Parameters{P: key.P, Q: key.Q, G: key.G}, Y: key.Y},
		X:         key.X,
	}, nil
}
