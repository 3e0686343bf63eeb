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
	// ErrKeyFormat: the file holds no key that can be used. The error that wraps
	// it says why.
	ErrKeyFormat = errors.New("invalid format")
	// ErrKeyPassphrase: the file is encrypted, and the passphrase is missing
	// or wrong.
	ErrKeyPassphrase = errors.New("incorrect passphrase supplied to decrypt private key")
	// ErrKeyMismatch: the public key beside the file is not the file's.
	ErrKeyMismatch = errors.New("contents do not match public")
)

// keyFile is the content of a key file, private or public.
type keyFile struct {
	data []byte
	info fs.FileInfo
}

// keyFiles reads the key files of one keyring. What is not a regular file is
// read once and kept, since a pipe gives its content to the first reader.
type keyFiles struct {
	d    *dialer
	ctx  context.Context
	kept map[string]*keyFile
}

// read reads a key file. The caller overwrites it with done.
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

// private reads a private key file and refuses one that others can read.
func (k *keyFiles) private(name string) (*keyFile, error) {
	kf, err := k.read(name)
	if kf.info != nil && sshkey.OthersCanUse(kf.info) {
		k.done(kf)
		return nil, &KeyFileError{File: name, Mode: kf.info.Mode().Perm(), Err: ErrKeyPermissions}
	}
	return kf, err
}

// public reads a public key or a certificate: a .pub file, or a
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

// done overwrites what was read, unless it is kept.
func (k *keyFiles) done(kf *keyFile) {
	if kf.info == nil || kf.info.Mode().IsRegular() {
		clear(kf.data)
	}
}

// close overwrites what was kept.
func (k *keyFiles) close() {
	for _, kf := range k.kept {
		clear(kf.data)
	}
	k.kept = nil
}

// public returns the public half if the file shows it without a passphrase.
func (k *keyFile) public() ssh.PublicKey {
	pub, err := sshkey.PublicHalf(k.data)
	if err != nil {
		return nil
	}
	return pub
}

// private decrypts the key. A nil passphrase is none; ErrKeyPassphrase asks
// for one, or for another.
func (k *keyFile) private(ctx context.Context, passphrase []byte) (*sshkey.Private, error) {
	key, err := sshkey.ParsePrivate(ctx, k.data, func() ([]byte, error) { return passphrase, nil })
	return key, keyError(err)
}

// keyError puts the reasons of package sshkey into those that this package
// exports.
func keyError(err error) error {
	switch {
	case errors.Is(err, sshkey.ErrPassphrase):
		return ErrKeyPassphrase
	case sshkey.Reason(err) != nil:
		return fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return err
}
