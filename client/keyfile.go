package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// KeyFileError means that a private key file could not be used. Authentication
// continues with the next key.
type KeyFileError struct {
	File string
	Mode fs.FileMode // the permissions, if Err is ErrKeyPermissions
	Err  error
}

func (e *KeyFileError) Error() string { return fmt.Sprintf("load key %q: %v", e.File, e.Err) }
func (e *KeyFileError) Unwrap() error { return e.Err }

var (
	// ErrKeyPermissions means that other users can read the private key file.
	ErrKeyPermissions = errors.New("bad permissions")
	// ErrKeyFormat means that the file holds no usable key. The error that wraps
	// it has the reason.
	ErrKeyFormat = errors.New("invalid format")
	// ErrKeyPassphrase means that the file is encrypted and the passphrase is
	// missing or wrong.
	ErrKeyPassphrase = errors.New("incorrect passphrase supplied to decrypt private key")
	// ErrKeyMismatch means that the .pub file is not of the private key.
	ErrKeyMismatch = errors.New("contents do not match public")
)

// keyFile is the content of a private or public key file.
type keyFile struct {
	data []byte
	info fs.FileInfo
}

// keyFiles reads the key files of a keyring. Files that are not regular are read
// once and kept: a pipe delivers its content only once.
type keyFiles struct {
	d    *dialer
	ctx  context.Context
	kept map[string]*keyFile
}

// read reads a key file. The caller must call done.
func (k *keyFiles) read(name string) (*keyFile, error) {
	if kf := k.kept[name]; kf != nil {
		return kf, nil
	}
	kf := new(keyFile)
	read := func() (err error) {
		kf.data, kf.info, err = sshkey.ReadFile(k.ctx, name)
		return err
	}
	var err error
	if info, statErr := os.Stat(name); statErr == nil && !info.Mode().IsRegular() {
		err = k.d.untimed(read) // the writer of a pipe may ask a person
	} else {
		err = read()
	}
	if kf.info != nil && !kf.info.Mode().IsRegular() && err == nil {
		if k.kept == nil {
			k.kept = make(map[string]*keyFile)
		}
		k.kept[name] = kf
	}
	if err != nil {
		return kf, &KeyFileError{File: name, Err: keyError(err)}
	}
	return kf, nil
}

// private reads a private key file. It refuses a file that other users can read.
func (k *keyFiles) private(name string) (*keyFile, error) {
	kf, err := k.read(name)
	if kf.info != nil && sshkey.OthersCanUse(kf.info) {
		k.done(kf)
		return nil, &KeyFileError{File: name, Mode: kf.info.Mode().Perm(), Err: ErrKeyPermissions}
	}
	return kf, err
}

// public reads a public key or certificate from a .pub file or a
// CertificateFile.
func (k *keyFiles) public(name string) (ssh.PublicKey, error) {
	kf, err := k.read(name)
	if err != nil {
		return nil, err
	}
	defer k.done(kf)
	pub, _, err := sshkey.ParsePublic(kf.data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, keyError(err))
	}
	return pub, nil
}

// done overwrites the content, unless it is kept.
func (k *keyFiles) done(kf *keyFile) {
	if kf.info == nil || kf.info.Mode().IsRegular() {
		clear(kf.data)
	}
}

// close overwrites the contents that were kept.
func (k *keyFiles) close() {
	for _, kf := range k.kept {
		clear(kf.data)
	}
	k.kept = nil
}

// public returns the public key, if it can be read without a passphrase.
func (k *keyFile) public() ssh.PublicKey {
	pub, err := sshkey.PublicHalf(k.data)
	if err != nil {
		return nil
	}
	return pub
}

// private decrypts the key. A nil passphrase means none. The error is
// ErrKeyPassphrase if the passphrase is missing or wrong.
func (k *keyFile) private(ctx context.Context, passphrase []byte) (*sshkey.Private, error) {
	key, err := sshkey.ParsePrivate(ctx, k.data, func() ([]byte, error) { return passphrase, nil })
	return key, keyError(err)
}

// keyError returns the error of this package for one of package sshkey.
func keyError(err error) error {
	switch {
	case errors.Is(err, sshkey.ErrPassphrase):
		return ErrKeyPassphrase
	case sshkey.Reason(err) != nil:
		return fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return err
}
