package client

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshtest"
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

func TestKeyFileFormats(t *testing.T) {
	key, err := sshtest.NewKey(ssh.KeyAlgoRSA)
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := ssh.NewSignerFromKey(key)
	plain8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secret8, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := sshtest.NewKey(ssh.KeyAlgoECDSA256)
	if err != nil {
		t.Fatal(err)
	}
	ecSigner, _ := ssh.NewSignerFromKey(ec)
	ec8, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for _, test := range []struct {
		name       string
		data       []byte
		want       ssh.PublicKey
		passphrase string
		public     bool // visible without the passphrase
	}{
		{"openssh", marshalKey(t, key, ""), signer.PublicKey(), "", true},
		{"openssh encrypted", marshalKey(t, key, "secret"), signer.PublicKey(), "secret", true},
		{"pkcs8", encode("PRIVATE KEY", plain8), signer.PublicKey(), "", true},
		{"pkcs8 encrypted", encode("ENCRYPTED PRIVATE KEY", secret8), signer.PublicKey(), "secret", false},
		{"pkcs8 ecdsa", encode("PRIVATE KEY", ec8), ecSigner.PublicKey(), "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			kf := &keyFile{pem: test.data}
			pub := kf.public()
			if (pub != nil) != test.public {
				t.Fatalf("public half visible: %v, want %v", pub != nil, test.public)
			}
			if test.public && !sameKey(pub, test.want) {
				t.Error("another public half")
			}
			if test.passphrase != "" {
				for _, wrong := range []string{"", "wrong"} {
					if _, err := kf.private([]byte(wrong)); !errors.Is(err, ErrKeyPassphrase) {
						t.Errorf("passphrase %q: %v, want ErrKeyPassphrase", wrong, err)
					}
				}
			}
			raw, err := kf.private([]byte(test.passphrase))
			if err != nil {
				t.Fatal(err)
			}
			got, err := ssh.NewSignerFromKey(raw)
			if err != nil {
				t.Fatal(err)
			}
			if !sameKey(got.PublicKey(), test.want) {
				t.Error("another key")
			}
		})
	}
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
	if _, err := readKeyFile(write("open", 0o644, good)); !errors.As(err, &failed) ||
		!errors.Is(err, ErrKeyPermissions) || failed.Mode != 0o644 {
		t.Errorf("readable by others: %v", err)
	}
	if _, err := readKeyFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := readKeyFile(dir); !errors.Is(err, ErrKeyFormat) {
		t.Errorf("a folder: %v", err)
	}
	for name, text := range map[string]string{"empty": "", "text": "no key at all\n",
		"cut": good[:len(good)/2], "other": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		kf, err := readKeyFile(write(name, 0o600, text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if kf.public() != nil {
			t.Errorf("%s: has a public half", name)
		}
		if _, err := kf.private(nil); !errors.Is(err, ErrKeyFormat) {
			t.Errorf("%s: %v, want ErrKeyFormat", name, err)
		}
	}
}
