package client

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/keyhelper"
)

// KeyFileError says why a private key file gave no key. Authentication goes
// on with the next one.
type KeyFileError struct {
	File string
	Mode fs.FileMode // the permissions, when Err is ErrKeyPermissions
	Err  error
}

func (e *KeyFileError) Error() string { return fmt.Sprintf("load key %q: %v", e.File, e.Err) }
func (e *KeyFileError) Unwrap() error { return e.Err }

var (
	// ErrKeyPermissions: others can read the private key file.
	ErrKeyPermissions = errors.New("bad permissions")
	// ErrKeyFormat: the file holds no key in a format that is known.
	ErrKeyFormat = errors.New("invalid format")
	// ErrKeyPassphrase: the file is encrypted, and the passphrase is missing
	// or wrong.
	ErrKeyPassphrase = errors.New("incorrect passphrase supplied to decrypt private key")
	// ErrKeyMismatch: the public key beside the file is not the file's.
	ErrKeyMismatch = errors.New("contents do not match public")
	// ErrSecurityKey: the file holds a security key (FIDO) and is encrypted,
	// which is not supported. An agent can hold such a key.
	ErrSecurityKey = errors.New("encrypted security key files are not supported")
)

// keyFile is what could be read of a private key file without a passphrase.
type keyFile struct {
	pem  []byte
	info fs.FileInfo
}

// readKeyFile reads a private key file and refuses one that others can read.
func readKeyFile(name string) (*keyFile, error) {
	kf, err := readAnyKeyFile(name)
	if err == nil && othersCanUse(kf.info) {
		return nil, &KeyFileError{File: name, Mode: kf.info.Mode().Perm(), Err: ErrKeyPermissions}
	}
	return kf, err
}

// readAnyKeyFile is readKeyFile without a look at the permissions, for the
// public half.
func readAnyKeyFile(name string) (*keyFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &KeyFileError{File: name, Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &KeyFileError{File: name, Err: err}
	}
	if info.IsDir() || info.Size() > maxKeyFile {
		return nil, &KeyFileError{File: name, Err: ErrKeyFormat}
	}
	data := make([]byte, info.Size())
	if _, err := readFull(f, data); err != nil {
		return nil, &KeyFileError{File: name, Err: err}
	}
	return &keyFile{pem: data, info: info}, nil
}

// maxKeyFile is far above any key, so that a mistaken path costs nothing.
const maxKeyFile = 1 << 20

func readFull(f *os.File, p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := f.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// public returns the public half if the file shows it without a passphrase:
// files in OpenSSH's own format always do, others when they are not encrypted.
func (k *keyFile) public() ssh.PublicKey {
	signer, err := ssh.ParsePrivateKey(k.pem)
	if err == nil {
		return signer.PublicKey()
	}
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) && missing.PublicKey != nil {
		return missing.PublicKey
	}
	if raw, err := k.private(nil); err == nil {
		if key, ok := raw.(*keyhelper.SecurityKey); ok {
			return key.Public
		}
		if signer, err := ssh.NewSignerFromKey(raw); err == nil {
			return signer.PublicKey()
		}
	}
	return nil
}

// private decrypts the key. A nil passphrase is none; ErrKeyPassphrase asks
// for one, or for another.
func (k *keyFile) private(passphrase []byte) (any, error) {
	block, _ := pem.Decode(k.pem)
	if block == nil {
		return nil, ErrKeyFormat
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" { // PKCS#8, which x/crypto leaves out
		if len(passphrase) == 0 {
			return nil, ErrKeyPassphrase
		}
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, passphrase)
		if err != nil {
			return nil, ErrKeyPassphrase
		}
		return key, nil
	}
	var key any
	var err error
	if len(passphrase) == 0 {
		if key, err := parseOpenSSHDSA(block); err == nil {
			return key, nil
		}
		if key, err := parseSecurityKey(block); err == nil {
			return key, nil
		}
		key, err = ssh.ParseRawPrivateKey(k.pem)
	} else {
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(k.pem, passphrase)
	}
	return key, keyError(block, err)
}

// keyError puts x/crypto's reasons into ours.
func keyError(block *pem.Block, err error) error {
	var missing *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing), errors.Is(err, x509.IncorrectPasswordError):
		return ErrKeyPassphrase
	case bytes.Contains(block.Bytes, []byte("sk-ssh-ed25519@openssh.com")),
		bytes.Contains(block.Bytes, []byte("sk-ecdsa-sha2-nistp256@openssh.com")):
		return ErrSecurityKey
	}
	return fmt.Errorf("%w: %v", ErrKeyFormat, err)
}

// readPublicFile reads a public key or a certificate in the form of
// authorized_keys: a .pub file, or a CertificateFile.
func readPublicFile(name string) (ssh.PublicKey, string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, "", err
	}
	key, comment, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, ErrKeyFormat)
	}
	return key, comment, nil
}
