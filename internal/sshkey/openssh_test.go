package sshkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/dchest/bcrypt_pbkdf"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// opensshFile is a file in OpenSSH's format before it is written.
type opensshFile struct {
	cipher, kdf, options string
	keys                 uint32
	public, section, tag []byte
}

func (f opensshFile) bytes() []byte {
	out := []byte(opensshMagic)
	for _, s := range []string{f.cipher, f.kdf, f.options} {
		out = wire.AppendString(out, []byte(s))
	}
	out = binary.BigEndian.AppendUint32(out, f.keys)
	out = wire.AppendString(wire.AppendString(out, f.public), f.section)
	return encode("OPENSSH PRIVATE KEY", append(out, f.tag...))
}

// section writes the private part, padded to a block.
func section(key []byte, comment string, block int) []byte {
	out := append([]byte{1, 2, 3, 4, 1, 2, 3, 4}, key...)
	out = wire.AppendString(out, []byte(comment))
	for i := 1; len(out)%block != 0; i++ {
		out = append(out, byte(i))
	}
	return out
}

// fields writes strings one after another.
func fields(texts ...[]byte) []byte {
	var out []byte
	for _, text := range texts {
		out = wire.AppendString(out, text)
	}
	return out
}

func plainFile(public, key []byte) opensshFile {
	return opensshFile{cipher: "none", kdf: "none", keys: 1, public: public, section: section(key, "mine", 8)}
}

func newEd25519(t *testing.T) (public, private []byte) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kind := []byte(ssh.KeyAlgoED25519)
	return fields(kind, pub), fields(kind, pub, key)
}

// bcryptOptions returns the KDF options of bcrypt.
func bcryptOptions(salt string, rounds uint32) string {
	return string(binary.BigEndian.AppendUint32(fields([]byte(salt)), rounds))
}

func TestContainer(t *testing.T) {
	public, private := newEd25519(t)
	good := plainFile(public, private)
	key, pub := parse(t, good.bytes(), "")
	if key.Comment != "mine" || !bytes.Equal(pub.Marshal(), public) {
		t.Errorf("%q, %v", key.Comment, pub)
	}
	otherPublic, _ := newEd25519(t)
	change := func(f func(*opensshFile)) opensshFile {
		file := good
		f(&file)
		return file
	}
	encrypted := func(f *opensshFile) { f.cipher, f.kdf, f.section = "aes256-cbc", "bcrypt", make([]byte, 64) }
	for _, test := range []struct {
		name string
		file opensshFile
		want error
	}{
		{"two keys", change(func(f *opensshFile) { f.keys = 2 }), ErrFormat},
		{"no key", change(func(f *opensshFile) { f.keys = 0 }), ErrFormat},
		{"trailing bytes", change(func(f *opensshFile) { f.tag = []byte{0} }), ErrFormat},
		{"another public key", change(func(f *opensshFile) { f.public = otherPublic }), ErrFormat},
		{"padding", change(func(f *opensshFile) { f.section = append(section(private, "mine", 8), 9, 9, 9, 9, 9, 9, 9, 9) }), ErrFormat},
		{"check numbers", change(func(f *opensshFile) { f.section = append([]byte{0}, f.section[1:]...) }), ErrFormat},
		{"no whole block", change(func(f *opensshFile) { f.section = append(f.section, 1) }), ErrFormat},
		{"a zero in the comment", change(func(f *opensshFile) { f.section = section(private, "a\x00b", 8) }), ErrFormat},
		{"no section", change(func(f *opensshFile) { f.section = nil }), ErrFormat},
		{"an unknown cipher", change(func(f *opensshFile) { f.cipher, f.kdf = "rot13", "bcrypt" }), ErrCipher},
		{"an unknown KDF", change(func(f *opensshFile) { f.kdf = "scrypt" }), ErrCipher},
		{"a cipher without a key", change(func(f *opensshFile) { f.cipher = "aes256-ctr" }), ErrFormat},
		{"no options", change(func(f *opensshFile) { encrypted(f); f.options = "" }), ErrFormat},
		{"no salt", change(func(f *opensshFile) { encrypted(f); f.options = bcryptOptions("", 16) }), ErrFormat},
		{"no rounds", change(func(f *opensshFile) { encrypted(f); f.options = bcryptOptions("salt", 0) }), ErrFormat},
		{"very many rounds", change(func(f *opensshFile) { encrypted(f); f.options = bcryptOptions("salt", 1<<31) }), ErrKDFCost},
		{"all rounds", change(func(f *opensshFile) { encrypted(f); f.options = bcryptOptions("salt", 1<<32-1) }), ErrKDFCost},
		{"no tag", change(func(f *opensshFile) { encrypted(f); f.cipher = "aes256-gcm@openssh.com" }), ErrFormat},
		{"DSA", plainFile(fields([]byte("ssh-dss"), []byte{1}), fields([]byte("ssh-dss"))), ErrKeyType},
		{"another type inside", plainFile(public, fields([]byte("ssh-dss"))), ErrKeyType},
	} {
		t.Run(test.name, func(t *testing.T) { wantError(t, test.file.bytes(), "secret", test.want) })
	}
	data := []byte(opensshMagic)
	whole := good.bytes()
	for n := range len(whole) {
		if key, err := ParsePrivate(t.Context(), whole[:n], nil); err == nil && n < len(whole)-1 {
			t.Fatalf("%d bytes of %d give the key %v", n, len(whole), key)
		}
	}
	for n := range 200 {
		wantError(t, encode("OPENSSH PRIVATE KEY", append(data, make([]byte, n)...)), "", ErrFormat)
	}
}

// TestContainerRSA reads RSA keys with wrong parts, as OpenSSH uses them, and
// one whose public key is not the container's.
func TestContainerRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	mpint := func(n *big.Int) []byte { return append([]byte{0}, n.Bytes()...) }
	one := big.NewInt(1)
	p, q := key.Primes[0], key.Primes[1]
	kind := []byte(ssh.KeyAlgoRSA)
	for name, n := range map[string][3]*big.Int{
		"good": {key.Precomputed.Qinv, p, q}, "a wrong coefficient": {one, p, q}, "wrong primes": {one, one, one},
	} {
		t.Run(name, func(t *testing.T) {
			private := fields(kind, mpint(key.N), mpint(big.NewInt(int64(key.E))), mpint(key.D), mpint(n[0]), mpint(n[1]), mpint(n[2]))
			file := plainFile(want.Marshal(), private).bytes()
			sample(t, "container "+name, file)
			_, pub := parse(t, file, "")
			wantSame(t, pub, want)
		})
	}
	public, _ := newEd25519(t)
	private := fields(kind, mpint(key.N), mpint(big.NewInt(int64(key.E))), mpint(key.D), mpint(one), mpint(p), mpint(q))
	wantError(t, plainFile(public, private).bytes(), "", ErrFormat)
}

// TestSecurityKeys reads the keys of FIDO tokens, encrypted or not.
func TestSecurityKeys(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	application := []byte("ssh:work")
	for _, public := range [][]byte{
		fields([]byte(ssh.KeyAlgoSKED25519), ed, application),
		fields([]byte(ssh.KeyAlgoSKECDSA256), []byte("nistp256"), point, application),
	} {
		private := append(public[:len(public):len(public)], 5)
		private = append(private, fields([]byte("the handle"), []byte("reserved"))...)
		derived, err := bcrypt_pbkdf.Key([]byte("secret"), []byte("salt"), 1, 32+16)
		if err != nil {
			t.Fatal(err)
		}
		text := section(private, "mine", 16)
		ctr(derived[:32], derived[32:], text, nil)
		for _, file := range []opensshFile{
			plainFile(public, private),
			{cipher: "aes256-ctr", kdf: "bcrypt", options: bcryptOptions("salt", 1), keys: 1, public: public, section: text},
		} {
			key, pub := parse(t, file.bytes(), "secret")
			sk, ok := key.Key.(*SecurityKey)
			if !ok {
				t.Fatalf("a %T", key.Key)
			}
			if !bytes.Equal(pub.Marshal(), public) || sk.Application != "ssh:work" || sk.Flags != 5 ||
				string(sk.KeyHandle) != "the handle" || string(sk.Reserved) != "reserved" || key.Comment != "mine" {
				t.Errorf("%+v, %q", sk, key.Comment)
			}
			shown, err := PublicHalf(file.bytes())
			if err != nil || !bytes.Equal(shown.Marshal(), public) {
				t.Errorf("%v, %v", shown, err)
			}
		}
		wantError(t, plainFile(public, private[:len(private)-1]).bytes(), "", ErrFormat)
	}
}
