package transport

import (
	"crypto"
	"crypto/ecdh"
	"crypto/mlkem"
	_ "crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"io"
	"math/big"

	"github.com/gossh-project/gossh/internal/wire"
)

// method is a row of the table of key exchange methods.
type method struct {
	names []string
	hash  crypto.Hash

	// begin makes the client's ephemeral key. It is nil for group exchange, where
	// the group comes first.
	begin func(rand io.Reader) (ephemeral, error)
}

// ephemeral is the client's half of one key exchange.
type ephemeral interface {
	// public returns the client's public value, as in the field of the message.
	public() []byte

	// shared returns the shared secret for the server's public value, as it is
	// hashed: an mpint or a string, with its length. It refuses values that would
	// make the secret predictable.
	shared(server []byte) ([]byte, error)
}

func methods() []method {
	curve := func(c ecdh.Curve) func(io.Reader) (ephemeral, error) {
		return func(rand io.Reader) (ephemeral, error) { return newECDH(c, rand) }
	}
	group := func(number int) func(io.Reader) (ephemeral, error) {
		return func(rand io.Reader) (ephemeral, error) { return newDH(oakleyGroup(number), big.NewInt(2), rand) }
	}
	return []method{
		{[]string{"mlkem768x25519-sha256"}, crypto.SHA256, newMLKEM},
		{[]string{"curve25519-sha256", "curve25519-sha256@libssh.org"}, crypto.SHA256, curve(ecdh.X25519())},
		{[]string{"ecdh-sha2-nistp256"}, crypto.SHA256, curve(ecdh.P256())},
		{[]string{"ecdh-sha2-nistp384"}, crypto.SHA384, curve(ecdh.P384())},
		{[]string{"ecdh-sha2-nistp521"}, crypto.SHA512, curve(ecdh.P521())},
		{[]string{"diffie-hellman-group-exchange-sha256"}, crypto.SHA256, nil},
		{[]string{"diffie-hellman-group16-sha512"}, crypto.SHA512, group(16)},
		{[]string{"diffie-hellman-group18-sha512"}, crypto.SHA512, group(18)},
		{[]string{"diffie-hellman-group14-sha256"}, crypto.SHA256, group(14)},
		{[]string{"diffie-hellman-group14-sha1"}, crypto.SHA1, group(14)},
		{[]string{"diffie-hellman-group-exchange-sha1"}, crypto.SHA1, nil},
	}
}

// errPublic is the error of a public value that is out of range.
var errPublic = errors.New("transport: the server's public value of the key exchange is out of range")

// ecdhKey is RFC 5656 and RFC 8731.
type ecdhKey struct{ key *ecdh.PrivateKey }

func newECDH(curve ecdh.Curve, rand io.Reader) (ephemeral, error) {
	key, err := curve.GenerateKey(rand)
	return ecdhKey{key}, err
}

func (k ecdhKey) public() []byte { return k.key.PublicKey().Bytes() }

func (k ecdhKey) shared(server []byte) ([]byte, error) {
	secret, err := k.raw(server)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return wire.AppendMPInt(nil, secret), nil
}

// raw refuses points that are not on the curve, and the all-zero secret.
func (k ecdhKey) raw(server []byte) ([]byte, error) {
	pub, err := k.key.Curve().NewPublicKey(server)
	if err != nil {
		return nil, errPublic
	}
	secret, err := k.key.ECDH(pub)
	if err != nil {
		return nil, errPublic
	}
	return secret, nil
}

// mlkemKey is mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex).
type mlkemKey struct {
	kem   *mlkem.DecapsulationKey768
	curve ecdhKey
}

func newMLKEM(rand io.Reader) (ephemeral, error) {
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, err
	}
	key, err := ecdh.X25519().GenerateKey(rand)
	return mlkemKey{kem, ecdhKey{key}}, err
}

func (k mlkemKey) public() []byte {
	return append(k.kem.EncapsulationKey().Bytes(), k.curve.public()...)
}

func (k mlkemKey) shared(server []byte) ([]byte, error) {
	if len(server) != mlkem.CiphertextSize768+32 {
		return nil, errPublic
	}
	first, err := k.kem.Decapsulate(server[:mlkem.CiphertextSize768])
	if err != nil {
		return nil, errPublic
	}
	second, err := k.curve.raw(server[mlkem.CiphertextSize768:])
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(first)
	h.Write(second)
	clear(first)
	clear(second)
	return wire.AppendString(nil, h.Sum(nil)), nil
}

// dhKey is Diffie-Hellman in a group of integers (RFC 4253, section 8).
type dhKey struct{ p, x, pub *big.Int }

func newDH(p, g *big.Int, rand io.Reader) (ephemeral, error) {
	// An exponent of twice as many bits as the longest key is enough (RFC 4419,
	// section 6.2).
	raw := make([]byte, 512/8)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return nil, err
	}
	raw[0] |= 0x80
	x := new(big.Int).SetBytes(raw)
	clear(raw)
	return &dhKey{p: p, x: x, pub: new(big.Int).Exp(g, x, p)}, nil
}

func (k *dhKey) public() []byte { return wire.MPIntBody(k.pub.Bytes()) }

func (k *dhKey) shared(server []byte) ([]byte, error) {
	if len(server) > 0 && server[0]&0x80 != 0 || len(server) > maxGroupBytes+1 {
		return nil, errPublic
	}
	f := new(big.Int).SetBytes(server)
	least, most := big.NewInt(2), new(big.Int).Sub(k.p, big.NewInt(2))
	if f.Cmp(least) < 0 || f.Cmp(most) > 0 {
		return nil, errPublic
	}
	secret := new(big.Int).Exp(f, k.x, k.p)
	if secret.Cmp(big.NewInt(1)) <= 0 {
		return nil, errPublic
	}
	clear(k.x.Bits())
	defer clear(secret.Bits())
	return wire.AppendMPInt(nil, secret.Bytes()), nil
}

// The sizes of groups that group exchange asks for (RFC 4419, section 3; RFC
// 8270), and what is accepted.
const (
	minGroupBits  = 2048
	maxGroupBits  = 8192
	maxGroupBytes = maxGroupBits / 8
)

// preferredGroupBits returns the size to ask for, by the strength of the
// strongest key that is derived, as NIST SP 800-57 has it and OpenSSH asks.
func preferredGroupBits(keyBits int) uint32 {
	switch {
	case keyBits <= 112:
		return 2048
	case keyBits <= 128:
		return 3072
	case keyBits <= 192:
		return 7680
	}
	return 8192
}

// checkGroup refuses groups of other sizes than asked for, and generators that
// generate nothing.
func checkGroup(p, g []byte) (*big.Int, *big.Int, error) {
	if len(p) > maxGroupBytes+1 || len(g) > len(p) || len(p) == 0 || len(g) == 0 || p[0]&0x80 != 0 || g[0]&0x80 != 0 {
		return nil, nil, protocolErrorf("bad group of the key exchange")
	}
	prime, generator := new(big.Int).SetBytes(p), new(big.Int).SetBytes(g)
	if n := prime.BitLen(); n < minGroupBits || n > maxGroupBits || prime.Bit(0) == 0 {
		return nil, nil, protocolErrorf("group of %d bits in the key exchange", n)
	}
	most := new(big.Int).Sub(prime, big.NewInt(2))
	if generator.Cmp(big.NewInt(2)) < 0 || generator.Cmp(most) > 0 {
		return nil, nil, protocolErrorf("bad generator of the key exchange")
	}
	return prime, generator, nil
}
