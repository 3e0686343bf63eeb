package sshkey

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// seeds are small files of each format.
func seeds() [][]byte {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	kind := []byte(ssh.KeyAlgoED25519)
	public := fields(kind, key[ed25519.SeedSize:])
	algorithm := der(tagSequence, oid(oidEd25519))
	seed := der(tagOctetString, der(tagOctetString, key.Seed()))
	pbes2 := der(tagSequence, oid(oidPBES2), der(tagSequence,
		der(tagSequence, oid(oidPBKDF2), der(tagSequence, der(tagOctetString, []byte("salt")), []byte{tagInteger, 1, 1}, der(tagSequence, oid(digest+"\x09")))),
		der(tagSequence, oid(aesOID+"\x2a"), der(tagOctetString, make([]byte, 16)))))
	pbes1 := der(tagSequence, oid(oidPKCS12DES3), der(tagSequence, der(tagOctetString, []byte("salt")), []byte{tagInteger, 1, 1}))
	return [][]byte{
		plainFile(public, fields(kind, key[ed25519.SeedSize:], key)).bytes(),
		opensshFile{cipher: "chacha20-poly1305@openssh.com", kdf: "bcrypt", options: bcryptOptions("salt", 1), keys: 1, public: public, section: make([]byte, 64), tag: make([]byte, 16)}.bytes(),
		encode("PRIVATE KEY", der(tagSequence, []byte{tagInteger, 1, 1}, algorithm, seed, der(0x81, []byte{0}, key[32:]))),
		encode("PRIVATE KEY", indefinite(tagSequence, []byte{tagInteger, 1, 0}, algorithm, indefinite(tagOctetString|constructed, seed))),
		encode("ENCRYPTED PRIVATE KEY", der(tagSequence, pbes2, der(tagOctetString, make([]byte, 48)))),
		encode("ENCRYPTED PRIVATE KEY", der(tagSequence, pbes1, der(tagOctetString, make([]byte, 48)))),
		encode("EC PRIVATE KEY", der(tagSequence, []byte{tagInteger, 1, 1}, der(tagOctetString, bytes.Repeat([]byte{7}, 32)), der(tagContext0, oid(curves()[0].oid)))),
		encode("RSA PRIVATE KEY", der(tagSequence, bytes.Repeat([]byte{tagInteger, 1, 3}, 9))),
		[]byte("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: c\nPublic-Lines: 1\nAAAA\nKey-Derivation: Argon2id\n" +
			"Argon2-Memory: 8\nArgon2-Passes: 1\nArgon2-Parallelism: 1\nArgon2-Salt: 00\nPrivate-Lines: 1\nAAAAAAAAAAAAAAAAAAAAAA==\nPrivate-MAC: 00\n"),
		[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE KEY-----\n"),
	}
}

// FuzzParsePrivate parses damaged files. The result must be a key or one of the
// package's errors. There is no passphrase: a
// fuzzer would find the costliest derivation and wait for it.
func FuzzParsePrivate(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		kept := bytes.Clone(file)
		asked := 0
		checkResult(t, file, &asked)
		PublicHalf(file)
		if asked > 1 || !bytes.Equal(file, kept) {
			t.Errorf("asked %d times; changed: %v", asked, !bytes.Equal(file, kept))
		}
	})
}

// checkResult parses a file, and looks into what comes of it.
func checkResult(t *testing.T, file []byte, asked *int) {
	t.Helper()
	key, err := ParsePrivate(context.Background(), file, passphrase("", asked))
	if err != nil {
		if Reason(err) == nil {
			t.Error(err)
		}
		return
	}
	if _, err := key.Public(); err != nil {
		t.Errorf("no public half: %v", err)
	}
}

// FuzzBlock is FuzzParsePrivate behind the armor, which a fuzzer would not get
// through.
func FuzzBlock(f *testing.F) {
	for _, seed := range seeds() {
		if block, _ := pem.Decode(seed); block != nil {
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		asked := 0
		checkResult(t, encode("PRIVATE KEY", data), &asked)
	})
}

// FuzzDecrypted reads what a wrong key may make of an encrypted section.
func FuzzDecrypted(f *testing.F) {
	for _, seed := range seeds() {
		if block, _ := pem.Decode(seed); block != nil {
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if isSequence(text) {
			outer := &ber{in: text}
			parsePlainDER(outer.sequence(tagSequence))
		}
		readPrivate(wire.NewReader(text))
		if len(text) > 0 {
			unpad(text, 16)
		}
		for _, kind := range []string{ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519} {
			p := &putty{algorithm: kind, public: append(fields([]byte(kind)), text...), private: text}
			p.key()
		}
	})
}

// FuzzParsePublic parses damaged lines.
func FuzzParsePublic(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop c\n"))
	f.Add([]byte("command=\"a \\\" b\" ssh-rsa AAAA"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if key, _, err := ParsePublic(file); (key == nil) != (err != nil) {
			t.Errorf("%v, %v", key, err)
		}
	})
}
