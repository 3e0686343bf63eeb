package hostkey

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/big"
	"testing"

	"golang.org/x/crypto/ssh"
)

// token is a security key that nobody touches, as sshd uses one for a host
// key.
type token struct {
	pub   ssh.PublicKey
	sign  func(message []byte) []byte
	flags uint8
}

func (k *token) PublicKey() ssh.PublicKey { return k.pub }

func (k *token) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	const counter = 7
	blob := k.sign(securityKeyMessage([]byte("ssh:"), k.flags, counter, data))
	rest := binary.BigEndian.AppendUint32([]byte{k.flags}, counter)
	return &ssh.Signature{Format: k.pub.Type(), Blob: blob, Rest: rest}, nil
}

// newTokens makes one of each type.
func newTokens(t *testing.T) []*token {
	t.Helper()
	parse := func(fields any) ssh.PublicKey {
		pub, err := ssh.ParsePublicKey(ssh.Marshal(fields))
		if err != nil {
			t.Fatal(err)
		}
		return pub
	}
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ecKey.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return []*token{{
		pub: parse(struct {
			Type        string
			Key         []byte
			Application string
		}{ssh.KeyAlgoSKED25519, edPub, "ssh:"}),
		sign: func(message []byte) []byte { return ed25519.Sign(edKey, message) },
	}, {
		pub: parse(struct {
			Type, Curve string
			Key         []byte
			Application string
		}{ssh.KeyAlgoSKECDSA256, "nistp256", point, "ssh:"}),
		sign: func(message []byte) []byte {
			digest := sha256.Sum256(message)
			r, s, err := ecdsa.Sign(rand.Reader, ecKey, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			return ssh.Marshal(struct{ R, S *big.Int }{r, s})
		},
	}}
}

func TestSecurityKeyProof(t *testing.T) {
	data := []byte("data")
	for _, k := range newTokens(t) {
		for _, flags := range []uint8{0, 1} {
			k.flags = flags
			sig, _ := k.Sign(nil, data)
			if err := verifyProof(k.pub, data, sig); err != nil {
				t.Errorf("%s with flags %d: %v", k.pub.Type(), flags, err)
			}
			if flags == 1 { // x/crypto takes this one: it agrees with us on what is signed
				if err := k.pub.Verify(data, sig); err != nil {
					t.Errorf("%s: made up differently: %v", k.pub.Type(), err)
				}
			}
		}
		good, _ := k.Sign(nil, data)
		for name, spoil := range map[string]func(s *ssh.Signature){
			"another flag":    func(s *ssh.Signature) { s.Rest = append([]byte{4}, s.Rest[1:]...) },
			"another counter": func(s *ssh.Signature) { s.Rest = append(s.Rest[:4:4], 9) },
			"short":           func(s *ssh.Signature) { s.Rest = s.Rest[:4] },
			"long":            func(s *ssh.Signature) { s.Rest = append(s.Rest[:5:5], 0) },
			"no fields":       func(s *ssh.Signature) { s.Rest = nil },
			"no signature":    func(s *ssh.Signature) { s.Blob = nil },
			"cut signature":   func(s *ssh.Signature) { s.Blob = s.Blob[:len(s.Blob)-1] },
			"another format":  func(s *ssh.Signature) { s.Format = ssh.KeyAlgoED25519 },
		} {
			sig := *good
			spoil(&sig)
			if verifyProof(k.pub, data, &sig) == nil {
				t.Errorf("%s: %s is accepted", k.pub.Type(), name)
			}
		}
		if verifyProof(k.pub, []byte("Data"), good) == nil {
			t.Errorf("%s: other data are accepted", k.pub.Type())
		}
	}
}

// TestUpdateSecurityKeys: such a key among those announced keeps no other from
// being learned.
func TestUpdateSecurityKeys(t *testing.T) {
	cur, add, tokens := newSigner(t, "ed25519"), newSigner(t, "ecdsa"), newTokens(t)
	file := write(t, entryLine("a", cur.PublicKey()))
	c, _ := checker(Options{UserFiles: []string{file}, UpdateHostKeys: UpdateYes})
	v := c.Verifier(t.Context(), Target{Host: "a"})
	if err := v.Callback("", nil, cur.PublicKey()); err != nil {
		t.Fatal(err)
	}
	server := &rotating{signers: []ssh.Signer{cur, tokens[0], add, tokens[1]}, sessionID: []byte("session")}
	err := c.Update(t.Context(), v, UpdateRequest{
		Payload: server.payload(), SessionID: []byte("session"), Prove: server.prove,
		Algorithms: append(allAlgorithms(), ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, s := range server.signers {
		want += entryLine("a", s.PublicKey())
	}
	if got := read(t, file); got != want {
		t.Errorf("file: %s", shortDiff(got, want))
	}
}
