package sshkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// der writes an element of DER.
func der(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

// indefinite writes an element without a length.
func indefinite(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, bytes.Join(parts, nil), []byte{0, 0})
}

// padded writes an element whose length has superfluous zeros.
func padded(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append([]byte{tag, 0x85, 0, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// number writes an INTEGER.
func number(n *big.Int) []byte { return der(tagInteger, []byte{0}, n.Bytes()) }

func encode(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// rsaParts are the numbers of a key in the order of PKCS#1.
type rsaParts struct{ n, e, d, p, q, dp, dq, qinv *big.Int }

func (k rsaParts) numbers() [][]byte {
	out := [][]byte{{tagInteger, 1, 0}}
	for _, n := range []*big.Int{k.n, k.e, k.d, k.p, k.q, k.dp, k.dq, k.qinv} {
		out = append(out, number(n))
	}
	return out
}

func (k rsaParts) pkcs1() []byte { return der(tagSequence, k.numbers()...) }

func oid(text string) []byte { return der(tagOID, []byte(text)) }

// samples puts files into a folder that GOSSH_TEST_SAMPLES names, where ssh can
// be tried on them.
func sample(t *testing.T, name string, file []byte) {
	t.Helper()
	if dir := os.Getenv("GOSSH_TEST_SAMPLES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRSAParts reads RSA keys as OpenSSL uses them, whatever crypto/rsa thinks
// of them.
func TestRSAParts(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	one, zero := big.NewInt(1), new(big.Int)
	good := rsaParts{key.N, big.NewInt(int64(key.E)), key.D, key.Primes[0], key.Primes[1],
		key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}
	phi := new(big.Int).Mul(new(big.Int).Sub(good.p, one), new(big.Int).Sub(good.q, one))
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	with := func(change func(*rsaParts)) []byte {
		k := good
		change(&k)
		return k.pkcs1()
	}
	algorithm := der(tagSequence, oid(oidRSA), []byte{tagNull, 0})
	version := []byte{tagInteger, 1, 0}
	inner := good.pkcs1()
	for _, test := range []struct {
		name string
		der  []byte
	}{
		{"as it should be", inner},
		{"superfluous zeros", der(tagSequence, append(good.numbers()[:6:6], der(tagInteger, make([]byte, 9), good.dp.Bytes()),
			number(good.dq), der(tagInteger, make([]byte, 3), good.qinv.Bytes()))...)},
		{"no leading zero", der(tagSequence, slices.Concat([][]byte{version, der(tagInteger, good.n.Bytes())}, good.numbers()[2:])...)},
		{"indefinite length", indefinite(tagSequence, good.numbers()...)},
		{"superfluous zeros in a length", padded(tagSequence, good.numbers()...)},
		{"trailing bytes", append(slices.Clone(inner), 1, 2, 3)},
		{"trailing zeros", append(slices.Clone(inner), make([]byte, 16)...)},
		{"wrong exponents for the primes", with(func(k *rsaParts) { k.dp, k.dq = add(k.dp, one), add(k.dq, one) })},
		{"wrong coefficient", with(func(k *rsaParts) { k.qinv = add(k.qinv, one) })},
		{"no CRT values", with(func(k *rsaParts) { k.dp, k.dq, k.qinv = zero, zero, zero })},
		{"no primes", with(func(k *rsaParts) { k.p, k.q, k.dp, k.dq, k.qinv = zero, zero, zero, zero, zero })},
		{"wrong primes", with(func(k *rsaParts) { k.p, k.q = add(k.p, one), add(k.q, one) })},
		{"primes swapped", with(func(k *rsaParts) { k.p, k.q = k.q, k.p })},
		{"a private exponent above phi", with(func(k *rsaParts) { k.d = add(k.d, phi) })},
		{"a private exponent above the modulus", with(func(k *rsaParts) { k.d = add(k.d, add(phi, phi)) })},
		{"a wrong private exponent", with(func(k *rsaParts) { k.d = add(k.d, one) })},
		{"no private exponent", with(func(k *rsaParts) { k.d = zero })},
		{"PKCS#8", der(tagSequence, version, algorithm, der(tagOctetString, inner))},
		{"PKCS#8 with trailing bytes", append(der(tagSequence, version, algorithm, der(tagOctetString, append(slices.Clone(inner), 0))), 0)},
		{"PKCS#8 without parameters", der(tagSequence, version, der(tagSequence, oid(oidRSA)), der(tagOctetString, inner))},
		{"PKCS#8 with attributes", der(tagSequence, version, algorithm, der(tagOctetString, inner), der(tagContext0, der(tagSequence, oid("\x55\x1d\x0f"), der(0x31, der(tagBitString, []byte{0, 0x10})))))},
		{"PKCS#8 of indefinite lengths", indefinite(tagSequence, version, indefinite(tagSequence, oid(oidRSA), []byte{tagNull, 0}),
			indefinite(tagOctetString|constructed, der(tagOctetString, inner[:100]), der(tagOctetString, inner[100:])))},
	} {
		t.Run(test.name, func(t *testing.T) {
			label := "RSA PRIVATE KEY"
			if strings.HasPrefix(test.name, "PKCS") {
				label = "PRIVATE KEY"
			}
			file := encode(label, test.der)
			sample(t, test.name, file)
			_, pub := parse(t, file, "")
			wantSame(t, pub, want)
		})
	}
	for _, test := range []struct {
		name string
		der  []byte
		want error
	}{
		{"nothing that gives the factors", with(func(k *rsaParts) { k.d, k.p = add(k.d, one), add(k.p, one) }), ErrLibcrypto},
		{"an even modulus", with(func(k *rsaParts) { k.n = add(k.n, one) }), ErrLibcrypto},
		{"a public exponent of 1", with(func(k *rsaParts) { k.e = one }), ErrLibcrypto},
		{"a huge modulus", with(func(k *rsaParts) { k.n = add(new(big.Int).Lsh(one, 17000), one) }), ErrLibcrypto},
		{"a huge private exponent", with(func(k *rsaParts) { k.d = new(big.Int).Lsh(one, 8*maxInteger) }), ErrFormat},
		{"five numbers", der(tagSequence, good.numbers()[:6]...), ErrFormat},
		{"eight numbers", der(tagSequence, good.numbers()[:8]...), ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) { wantError(t, encode("RSA PRIVATE KEY", test.der), "", test.want) })
	}
}

// TestCloseFactors reads a key that crypto/rsa refuses for primes that are near
// each other.
func TestCloseFactors(t *testing.T) {
	p, err := rand.Prime(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	e, one, two := big.NewInt(65537), big.NewInt(1), big.NewInt(2)
	next := func(p *big.Int) *big.Int {
		for q := new(big.Int).Add(p, two); ; q.Add(q, two) {
			if q.ProbablyPrime(20) && new(big.Int).GCD(nil, nil, e, new(big.Int).Sub(q, one)).Cmp(one) == 0 {
				return q
			}
		}
	}
	p = next(p)
	q := next(p)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(e, phi)
	file := encode("RSA PRIVATE KEY", rsaParts{new(big.Int).Mul(p, q), e, d, p, q, one, one, one}.pkcs1())
	sample(t, "close factors", file)
	parse(t, file, "")
}

// TestECForms reads elliptic curve keys in unusual forms.
func TestECForms(t *testing.T) {
	for _, c := range curves() {
		std := c.curve.Params()
		key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ssh.NewPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := (std.BitSize + 7) / 8
		field := func(n *big.Int) []byte { return n.FillBytes(make([]byte, size)) }
		base := elliptic.MarshalCompressed(c.curve, std.Gx, std.Gy)
		full := slices.Concat([]byte{4}, field(std.Gx), field(std.Gy))
		explicit := func(point []byte, order *big.Int, a *big.Int) []byte {
			return der(tagSequence, []byte{tagInteger, 1, 1}, der(tagSequence, oid(primeField), number(std.P)),
				der(tagSequence, der(tagOctetString, field(a)), der(tagOctetString, field(std.B))),
				der(tagOctetString, point), number(order), []byte{tagInteger, 1, 1})
		}
		a := new(big.Int).Sub(std.P, big.NewInt(3))
		version := []byte{tagInteger, 1, 1}
		named := der(tagContext0, oid(c.oid))
		sec1 := func(parts ...[]byte) []byte { return der(tagSequence, append([][]byte{version}, parts...)...) }
		pkcs8 := func(params, content []byte) []byte {
			return der(tagSequence, []byte{tagInteger, 1, 0}, der(tagSequence, oid(oidEC), params), der(tagOctetString, content))
		}
		bits := der(tagContext1, der(tagBitString, []byte{0}, public))
		for _, test := range []struct {
			name, label string
			der         []byte
		}{
			{"named", "EC PRIVATE KEY", sec1(der(tagOctetString, secret), named, bits)},
			{"no public key", "EC PRIVATE KEY", sec1(der(tagOctetString, secret), named)},
			{"leading zeros", "EC PRIVATE KEY", sec1(der(tagOctetString, make([]byte, 7), secret), named, bits)},
			{"explicit", "EC PRIVATE KEY", sec1(der(tagOctetString, secret), der(tagContext0, explicit(full, std.N, a)), bits)},
			{"explicit and compressed", "EC PRIVATE KEY", sec1(der(tagOctetString, secret), der(tagContext0, explicit(base, std.N, a)), bits)},
			{"trailing bytes", "EC PRIVATE KEY", append(sec1(der(tagOctetString, secret), named, bits), 0, 0)},
			{"PKCS#8", "PRIVATE KEY", pkcs8(oid(c.oid), sec1(der(tagOctetString, secret), bits))},
			{"PKCS#8 with two names", "PRIVATE KEY", pkcs8(oid(c.oid), sec1(der(tagOctetString, secret), named, bits))},
			{"PKCS#8 explicit", "PRIVATE KEY", pkcs8(explicit(full, std.N, a), sec1(der(tagOctetString, secret)))},
			{"PKCS#8 as EC", "EC PRIVATE KEY", pkcs8(oid(c.oid), sec1(der(tagOctetString, secret), bits))},
			{"PKCS#8 as RSA", "RSA PRIVATE KEY", pkcs8(oid(c.oid), sec1(der(tagOctetString, secret), bits))},
		} {
			t.Run(c.ssh+" "+test.name, func(t *testing.T) {
				file := encode(test.label, test.der)
				sample(t, c.ssh+" "+test.name, file)
				_, pub := parse(t, file, "")
				wantSame(t, pub, want)
			})
		}
		small := new(big.Int).Rsh(std.N, uint(std.N.BitLen()/2)+1)
		for name, content := range map[string][]byte{
			"another order":      sec1(der(tagOctetString, secret), der(tagContext0, explicit(full, new(big.Int).Add(std.N, big.NewInt(2)), a)), bits),
			"another curve":      sec1(der(tagOctetString, secret), der(tagContext0, explicit(full, std.N, big.NewInt(3))), bits),
			"another base point": sec1(der(tagOctetString, secret), der(tagContext0, explicit(full[:len(full)-1], std.N, a)), bits),
			"no curve":           sec1(der(tagOctetString, secret), bits),
			"no number":          sec1(named, bits),
			"a small number":     sec1(der(tagOctetString, small.Bytes()), named),
			"a large number":     sec1(der(tagOctetString, std.N.Bytes()), named),
		} {
			t.Run(c.ssh+" "+name, func(t *testing.T) { wantError(t, encode("EC PRIVATE KEY", content), "", ErrFormat) })
		}
	}
}

// TestEd25519Forms reads both versions of PKCS#8.
func TestEd25519Forms(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	algorithm := der(tagSequence, oid(oidEd25519))
	seed := der(tagOctetString, der(tagOctetString, key.Seed()))
	for name, text := range map[string][]byte{
		"version 1":                 der(tagSequence, []byte{tagInteger, 1, 0}, algorithm, seed),
		"version 2, with a public":  der(tagSequence, []byte{tagInteger, 1, 1}, algorithm, seed, der(0x81, []byte{0}, pub)),
		"trailing bytes":            append(der(tagSequence, []byte{tagInteger, 1, 0}, algorithm, seed), 0),
		"with attributes, a public": der(tagSequence, []byte{tagInteger, 1, 1}, algorithm, seed, der(tagContext0), der(0x81, []byte{0}, pub)),
	} {
		t.Run(name, func(t *testing.T) {
			file := encode("PRIVATE KEY", text)
			sample(t, "ed25519 "+name, file)
			_, pub := parse(t, file, "")
			wantSame(t, pub, want)
		})
	}
	for _, n := range []int{0, 31, 33, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			wantError(t, encode("PRIVATE KEY", der(tagSequence, []byte{tagInteger, 1, 0}, algorithm,
				der(tagOctetString, der(tagOctetString, make([]byte, n))))), "", ErrFormat)
		})
	}
}

// TestNesting: elements within elements cost no more than they should.
func TestNesting(t *testing.T) {
	deep := bytes.Repeat([]byte{tagSequence, 0x80}, 1<<16)
	wantError(t, encode("PRIVATE KEY", deep), "", ErrFormat)
	pieces := bytes.Repeat([]byte{tagOctetString | constructed, 0x80}, 1<<16)
	wantError(t, encode("EC PRIVATE KEY", indefinite(tagSequence, []byte{tagInteger, 1, 1}, pieces)), "", ErrFormat)
}
