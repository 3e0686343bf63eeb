package client

//lint:file-ignore SA1019 old servers know no other keys; they have to be asked for by name

import (
	"crypto/dsa"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"

	"golang.org/x/crypto/ssh"
)

// opensshDSA writes a key as ssh-keygen did while it still made this type.
func opensshDSA(key *dsa.PrivateKey, cipher string) []byte {
	private := ssh.Marshal(struct {
		Check1, Check2 uint32
		Type           string
		P, Q, G, Y, X  *big.Int
		Comment        string
		Padding        []byte `ssh:"rest"`
	}{7, 7, ssh.InsecureKeyAlgoDSA, key.P, key.Q, key.G, key.Y, key.X, "test", []byte{1, 2, 3}})
	return append([]byte(opensshMagic), ssh.Marshal(struct {
		Cipher, KDF, KDFOptions string
		Count                   uint32
		Public, Private         []byte
	}{cipher, "none", "", 1, nil, private})...)
}

func TestDSAKeyFile(t *testing.T) {
	key := new(dsa.PrivateKey)
	if err := dsa.GenerateParameters(&key.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(key, rand.Reader); err != nil {
		t.Fatal(err)
	}
	want, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := func(data []byte) *keyFile {
		return &keyFile{pem: pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: data})}
	}
	good := opensshDSA(key, "none")
	raw, err := file(good).private(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := got.Sign(rand.Reader, []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := want.PublicKey().Verify([]byte("data"), sig); err != nil {
		t.Error(err)
	}
	if !sameKey(file(good).public(), want.PublicKey()) {
		t.Error("another public half")
	}

	bad := map[string][]byte{"another cipher": opensshDSA(key, "aes256-ctr"), "trailing": append(good[:len(good):len(good)], 0)}
	for n := range good {
		bad["truncated"] = good[:n]
		for name, data := range bad {
			if _, err := file(data).private(nil); !errors.Is(err, ErrKeyFormat) {
				t.Fatalf("%s at %d: %v, want ErrKeyFormat", name, n, err)
			}
		}
	}
}

// TestDSACertificate: PubkeyAcceptedAlgorithms can let such a certificate in.
func TestDSACertificate(t *testing.T) {
	if plain, cert := plainAlgorithm(ssh.InsecureCertAlgoDSAv01); plain != ssh.InsecureKeyAlgoDSA || !cert {
		t.Errorf("%q, %v", plain, cert)
	}
}
