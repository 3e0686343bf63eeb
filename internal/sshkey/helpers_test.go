package sshkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"
)

// passphrase gives one, and counts how often it is asked for.
func passphrase(text string, asked *int) func() ([]byte, error) {
	return func() ([]byte, error) {
		*asked++
		return []byte(text), nil
	}
}

// parse parses a file with a passphrase, and checks that the key signs.
func parse(t *testing.T, file []byte, text string) (*Private, ssh.PublicKey) {
	t.Helper()
	asked := 0
	key, err := ParsePrivate(t.Context(), file, passphrase(text, &asked))
	if err != nil {
		t.Fatal(err)
	}
	if asked > 1 {
		t.Errorf("asked %d times", asked)
	}
	pub, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := key.Key.(*SecurityKey); ok {
		return key, pub
	}
	signer, err := ssh.NewSignerFromKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.Sign(rand.Reader, []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Verify([]byte("data"), sig); err != nil {
		t.Fatal(err)
	}
	return key, pub
}

// wantSame fails if two public keys differ.
func wantSame(t *testing.T, got, want ssh.PublicKey) {
	t.Helper()
	if got == nil || !bytes.Equal(got.Marshal(), want.Marshal()) {
		t.Errorf("another public key: %v", got)
	}
}

// wantError fails if a file gives a key, or another error.
func wantError(t *testing.T, file []byte, text string, want error) {
	t.Helper()
	asked := 0
	if _, err := ParsePrivate(context.Background(), file, passphrase(text, &asked)); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}
