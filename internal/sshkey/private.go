// Package sshkey reads the files that keys are kept in: private keys in
// OpenSSH's, PEM, PKCS#8 and PuTTY's formats, and public keys as ssh-keygen
// writes them.
//
// It accepts what OpenSSH with OpenSSL accepts. Nothing in a file makes it
// allocate or compute without bound.
package sshkey

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wipe"
)

// The reasons for which a file gives no key, in the words of OpenSSH where it
// has them. Errors of this package match one of them with errors.Is.
var (
	ErrFormat     = errors.New("invalid format")
	ErrPassphrase = errors.New("incorrect passphrase supplied to decrypt private key")
	ErrCipher     = errors.New("key encrypted using unsupported cipher")
	ErrKeyType    = errors.New("unknown or unsupported key type")
	//lint:ignore ST1005 the text is OpenSSH's, which scripts match on
	ErrLength      = errors.New("Invalid key length")
	ErrLibcrypto   = errors.New("error in libcrypto")
	ErrRSAExponent = errors.New("RSA public exponent is too large")
	ErrKDFCost     = errors.New("key derivation of the file would take too long")
)

// Reason returns which of the errors above err matches, nil if none.
func Reason(err error) error {
	for _, known := range []error{ErrFormat, ErrPassphrase, ErrCipher, ErrKeyType, ErrLength, ErrLibcrypto, ErrRSAExponent, ErrKDFCost} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

// Private is a private key as a file holds it.
type Private struct {
	// Key is an *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey or
	// *SecurityKey. The caller overwrites it after use.
	Key any
	// Comment is the text that files of OpenSSH and PuTTY carry. PEM files have
	// none.
	Comment string
}

// SecurityKey is a key that a FIDO token holds: what the token needs to find
// it, and of no use without the token.
type SecurityKey struct {
	Public      ssh.PublicKey // sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com
	Application string
	Flags       uint8
	KeyHandle   []byte
	Reserved    []byte
}

// Public returns the public half.
func (p *Private) Public() (ssh.PublicKey, error) {
	switch k := p.Key.(type) {
	case *SecurityKey:
		return k.Public, nil
	case *rsa.PrivateKey:
		return ssh.NewPublicKey(&k.PublicKey)
	case *ecdsa.PrivateKey:
		return ssh.NewPublicKey(&k.PublicKey)
	case ed25519.PrivateKey:
		return ssh.NewPublicKey(k.Public())
	}
	return nil, ErrKeyType
}

// ParsePrivate returns the first private key in a file. It calls passphrase,
// once, if the key is encrypted in a way that it knows. The slice remains the
// caller's. A nil passphrase, or an empty one, gives ErrPassphrase, as does a
// wrong one.
//
// It returns early with the cause of ctx when ctx ends while a key is derived
// from the passphrase. What was begun then ends in the background.
func ParsePrivate(ctx context.Context, file []byte, passphrase func() ([]byte, error)) (*Private, error) {
	text, owned := normalize(file)
	if owned {
		defer clear(text)
	}
	s := &secret{ctx: ctx, ask: passphrase}
	if isPuTTY(text) {
		return parsePuTTY(text, s)
	}
	return parsePEM(text, s)
}

// PublicHalf returns the public key that a private key file shows without a
// passphrase: those in OpenSSH's and PuTTY's formats always do, others when they
// are not encrypted.
func PublicHalf(file []byte) (ssh.PublicKey, error) {
	text, owned := normalize(file)
	if owned {
		defer clear(text)
	}
	if isPuTTY(text) {
		return puttyPublic(text)
	}
	if pub := opensshPublic(text); pub != nil {
		return pub, nil
	}
	key, err := parsePEM(text, &secret{ctx: context.Background()})
	if err != nil {
		return nil, err
	}
	defer wipe.Key(key.Key)
	return key.Public()
}

// normalize drops a byte order mark and gives text that has bare carriage
// returns the line ends of everybody else. It reports whether it made a copy.
func normalize(file []byte) (text []byte, owned bool) {
	text = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		return bytes.ReplaceAll(text, []byte{'\r'}, []byte{'\n'}), true
	}
	return text, false
}

// secret asks for the passphrase when it is first needed.
type secret struct {
	ctx   context.Context
	ask   func() ([]byte, error)
	asked bool
	text  []byte
	err   error
}

// passphrase returns the passphrase, or ErrPassphrase if there is none.
func (s *secret) passphrase() ([]byte, error) {
	if !s.asked && s.ask != nil {
		s.asked = true
		s.text, s.err = s.ask()
	}
	switch {
	case s.err != nil:
		return nil, s.err
	case len(s.text) == 0:
		return nil, ErrPassphrase
	}
	return s.text, nil
}

// derive computes a key from the passphrase, and returns when it has or when
// the context ends.
func (s *secret) derive(compute func(passphrase []byte) ([]byte, error)) ([]byte, error) {
	text, err := s.passphrase()
	if err != nil {
		return nil, err
	}
	if s.ctx.Done() == nil {
		return compute(text)
	}
	type result struct {
		key []byte
		err error
	}
	done := make(chan result, 1)
	copied := append(make([]byte, 0, max(minSecret, len(text))), text...)
	go func() {
		var r result
		wipe.OnOwnStack(func() { r.key, r.err = compute(copied) })
		clear(copied)
		done <- r
	}()
	select {
	case r := <-done:
		if s.ctx.Err() == nil {
			return r.key, r.err
		}
		clear(r.key)
		return nil, context.Cause(s.ctx)
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

// minSecret is the least memory for a secret. Smaller things share memory, and
// what is shared stays for as long as any of them is in use.
const minSecret = 32

// bmpString is a passphrase as PKCS#12 has it: UTF-16, with a final zero. Bytes
// that are not UTF-8 stand for themselves, as in OpenSSL.
func bmpString(text []byte) []byte {
	out := make([]byte, 0, max(minSecret, 2*len(text)+2))
	utf := utf8.Valid(text)
	for len(text) > 0 {
		r, n := rune(text[0]), 1
		if utf {
			r, n = utf8.DecodeRune(text)
		}
		text = text[n:]
		if r >= 0x10000 {
			r -= 0x10000
			high, low := 0xd800+r>>10, 0xdc00+r&0x3ff
			out = append(out, byte(high>>8), byte(high), byte(low>>8), byte(low))
			continue
		}
		out = append(out, byte(r>>8), byte(r))
	}
	return append(out, 0, 0)
}
