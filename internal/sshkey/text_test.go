package sshkey

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestTextForms reads key files that went through editors and other programs.
func TestTextForms(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ssh.NewPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 such files are read
	secret, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", sec1, []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ssh.MarshalPrivateKey(ec, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	before := func(text string) func(string) string { return func(s string) string { return text + s } }
	for kind, file := range map[string]string{
		"PEM": string(encode("EC PRIVATE KEY", sec1)), "encrypted PEM": string(pem.EncodeToMemory(secret)),
		"OpenSSH": string(pem.EncodeToMemory(own)),
	} {
		for name, change := range map[string]func(string) string{
			"nothing":           func(s string) string { return s },
			"byte order mark":   before("\uFEFF"),
			"CRLF":              replace("\n", "\r\n"),
			"both":              func(s string) string { return "\uFEFF" + strings.ReplaceAll(s, "\n", "\r\n") },
			"CR":                replace("\n", "\r"),
			"no final newline":  func(s string) string { return strings.TrimSuffix(s, "\n") },
			"blank lines":       before("\n\n\r\n"),
			"text before":       before("Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n"),
			"text after":        func(s string) string { return s + "\n\nthis was it\n" },
			"spaces at the end": replace("\n", " \t\n"),
			"parameters before": before(string(encode("EC PARAMETERS", oid(curves()[0].oid)))),
			"public key before": before(string(encode("PUBLIC KEY", public))),
			"bad key before":    before(string(encode("EC PRIVATE KEY", sec1[:20]))),
			"much text before":  before(strings.Repeat("all work and no play\n", 1<<16)),
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				text := []byte(change(file))
				kept := bytes.Clone(text)
				_, pub := parse(t, text, "secret")
				wantSame(t, pub, want)
				if !bytes.Equal(text, kept) {
					t.Error("the input was changed")
				}
			})
		}
	}
	for _, text := range []string{"", "\n", "no key\n", "\uFEFF", "-----BEGIN OPENSSH PRIVATE KEY-----\n", puttyMagic + "3: x\n", puttyMagic,
		string(encode("CERTIFICATE", sec1)), string(encode("EC PARAMETERS", oid(curves()[0].oid)))} {
		wantError(t, []byte(text), "secret", ErrFormat)
		if pub, err := PublicHalf([]byte(text)); err == nil {
			t.Errorf("%q has the public half %v", text, pub)
		}
	}
}

func TestParsePublic(t *testing.T) {
	public, _ := newEd25519(t)
	pub, err := ssh.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newEd25519(t)
	otherKey, err := ssh.ParsePublicKey(other)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(pub)), "\n")
	second := string(ssh.MarshalAuthorizedKey(otherKey))
	for _, test := range []struct{ text, comment string }{
		{line, ""},
		{line + "\n", ""},
		{line + " a comment\r\n", "a comment"},
		{"\uFEFF" + line + " c\n", "c"},
		{"# first\n\n \t" + line + " c\n" + second, "c"},
		{"garbage\nssh-ed25519 AAAA c\n" + line + " c\n", "c"},
		{strings.Replace(line, " ", "\t", 1) + "\tc\n", "c"},
		{`from="10.0.0.1,*.example.org",command="echo \"a b\" c" ` + line + " c d\n", "c d"},
		{"no-pty,restrict " + line + " c\n", "c"},
		{line + " c\r" + second, "c"},
	} {
		key, comment, err := ParsePublic([]byte(test.text))
		if err != nil || !bytes.Equal(key.Marshal(), public) || comment != test.comment {
			t.Errorf("%q: %v, %q, %v", test.text, key, comment, err)
		}
	}
	for _, text := range []string{"", "ssh-ed25519", "ssh-ed25519 ", "ssh-rsa " + strings.Fields(line)[1], `command="` + line,
		"-----BEGIN OPENSSH PRIVATE KEY-----\n" + line, puttyMagic + "3: ssh-rsa\n" + line} {
		if key, _, err := ParsePublic([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, %v", text, key, err)
		}
	}
}

// TestInterrupted gives up a derivation.
func TestInterrupted(t *testing.T) {
	public, _ := newEd25519(t)
	file := opensshFile{cipher: "aes256-ctr", kdf: "bcrypt", options: bcryptOptions("salt", 2), keys: 1, public: public, section: make([]byte, 64)}
	ctx, cancel := context.WithCancelCause(t.Context())
	given := errors.New("given up")
	_, err := ParsePrivate(ctx, file.bytes(), func() ([]byte, error) {
		cancel(given)
		return []byte("secret"), nil
	})
	if !errors.Is(err, given) {
		t.Errorf("%v, want the cause", err)
	}
	// The derivation ends by itself, which TestMain waits for.
}

// TestPassphraseError: a failure to ask is what ParsePrivate returns.
func TestPassphraseError(t *testing.T) {
	public, _ := newEd25519(t)
	file := opensshFile{cipher: "aes256-ctr", kdf: "bcrypt", options: bcryptOptions("salt", 1), keys: 1, public: public, section: make([]byte, 64)}
	gone := errors.New("gone")
	if _, err := ParsePrivate(t.Context(), file.bytes(), func() ([]byte, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("%v, want the error of the question", err)
	}
	if _, err := ParsePrivate(t.Context(), file.bytes(), nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("%v, want ErrPassphrase", err)
	}
}
