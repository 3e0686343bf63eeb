package client

import (
	"crypto"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// marshalKey writes a key in OpenSSH's format, encrypted if there is a
// passphrase.
func marshalKey(t *testing.T, key crypto.PrivateKey, passphrase string) []byte {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func TestKeyFileErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode fs.FileMode, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := sshtest.NewKey(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	good := string(marshalKey(t, key, ""))

	var failed *KeyFileError
	files := &keyFiles{ctx: t.Context()}
	if _, err := files.private(write("open", 0o644, good)); !errors.As(err, &failed) ||
		!errors.Is(err, ErrKeyPermissions) || failed.Mode != 0o644 {
		t.Errorf("readable by others: %v", err)
	}
	if _, err := files.private(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (&keyFiles{ctx: t.Context(), d: &dialer{}}).private(dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a folder: %v", err)
	}
	for name, text := range map[string]string{"empty": "", "text": "no key at all\n",
		"cut": good[:len(good)/2], "other": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		kf, err := files.private(write(name, 0o600, text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if kf.public() != nil {
			t.Errorf("%s: has a public half", name)
		}
		if _, err := kf.private(t.Context(), nil); !errors.Is(err, ErrKeyFormat) {
			t.Errorf("%s: %v, want ErrKeyFormat", name, err)
		}
	}
}
