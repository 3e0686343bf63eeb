package sshkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
)

// curves are those that SSH uses (RFC 5656), with their object identifiers.
func curves() []struct {
	curve elliptic.Curve
	oid   string
	ssh   string
} {
	return []struct {
		curve elliptic.Curve
		oid   string
		ssh   string
	}{
		{elliptic.P256(), "\x2a\x86\x48\xce\x3d\x03\x01\x07", "nistp256"},
		{elliptic.P384(), "\x2b\x81\x04\x00\x22", "nistp384"},
		{elliptic.P521(), "\x2b\x81\x04\x00\x23", "nistp521"},
	}
}

// curveOf returns the curve that ECParameters (RFC 3279) describe, by its name
// or by the explicit parameters of a named curve.
func curveOf(params []byte) (elliptic.Curve, error) {
	b := &ber{in: params}
	switch b.peek() {
	case tagOID:
		name := b.oid()
		for _, c := range curves() {
			if c.oid == name {
				return c.curve, nil
			}
		}
	case tagSequence:
		return explicitCurve(b.sequence(tagSequence))
	}
	return nil, ErrFormat
}

// primeField is the object identifier of fields of prime order.
const primeField = "\x2a\x86\x48\xce\x3d\x01\x01"

func explicitCurve(b *ber) (elliptic.Curve, error) {
	b.integer() // version
	field := b.sequence(tagSequence)
	kind := field.oid()
	if kind != primeField {
		return nil, ErrFormat
	}
	p := field.integer()
	shape := b.sequence(tagSequence) // a, b, and maybe a seed
	a4 := new(big.Int).SetBytes(shape.octets())
	a6 := new(big.Int).SetBytes(shape.octets())
	base := b.octets()
	order := b.integer()
	if b.failed || field.failed || shape.failed {
		return nil, ErrFormat
	}
	for _, c := range curves() {
		std := c.curve.Params()
		minus3 := new(big.Int).Sub(std.P, big.NewInt(3))
		if p.Cmp(std.P) == 0 && order.Cmp(std.N) == 0 && a4.Cmp(minus3) == 0 && a6.Cmp(std.B) == 0 && isBase(base, std) {
			return c.curve, nil
		}
	}
	return nil, ErrFormat
}

// isBase compares an encoded point with the base point of a curve.
func isBase(point []byte, std *elliptic.CurveParams) bool {
	size := (std.BitSize + 7) / 8
	if len(point) == 0 {
		return false
	}
	x := point[1:]
	switch point[0] {
	case 2, 3: // compressed: the sign of y
		return len(x) == size && new(big.Int).SetBytes(x).Cmp(std.Gx) == 0 && uint(point[0]&1) == std.Gy.Bit(0)
	case 4, 6, 7:
		return len(x) == 2*size && new(big.Int).SetBytes(x[:size]).Cmp(std.Gx) == 0 && new(big.Int).SetBytes(x[size:]).Cmp(std.Gy) == 0
	}
	return false
}

// newECDSA makes a key of its secret number. As OpenSSH does, it refuses
// numbers that are no random choice.
func newECDSA(curve elliptic.Curve, d *big.Int) (*ecdsa.PrivateKey, error) {
	order := curve.Params().N
	if d.BitLen() <= order.BitLen()/2 || d.Cmp(new(big.Int).Sub(order, big.NewInt(1))) >= 0 {
		return nil, ErrFormat
	}
	raw := d.FillBytes(make([]byte, max(minSecret, (order.BitLen()+7)/8)))
	defer clear(raw)
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		return nil, ErrFormat
	}
	return key, nil
}
