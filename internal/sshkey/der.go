package sshkey

import (
	"crypto/ed25519"
	"math/big"
)

// Object identifiers of keys.
const (
	oidRSA     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	oidX500RSA = "\x55\x08\x01\x01"
	oidEC      = "\x2a\x86\x48\xce\x3d\x02\x01"
	oidEd25519 = "\x2b\x65\x70"
)

// parseDER parses a private key in any of the structures that a PEM block may
// hold, whatever its label: PKCS#1, SEC 1, PKCS#8, encrypted PKCS#8.
func parseDER(der []byte, s *secret) (any, error) {
	b := &ber{in: der}
	key := b.sequence(tagSequence)
	if key.failed {
		return nil, ErrFormat
	}
	if key.peek() == tagSequence {
		return parseEncryptedPKCS8(key, s)
	}
	return parsePlainDER(key)
}

// parsePlainDER tells the structures apart by what follows the version.
func parsePlainDER(key *ber) (any, error) {
	key.integer()
	switch key.peek() {
	case tagInteger:
		return parsePKCS1(key)
	case tagOctetString, tagOctetString | constructed:
		return parseSEC1(key, nil)
	case tagSequence:
		return parsePKCS8(key)
	}
	return nil, ErrFormat
}

// parsePKCS1 parses an RSAPrivateKey (RFC 8017) after its version.
func parsePKCS1(key *ber) (any, error) {
	var numbers []*big.Int
	for key.peek() == tagInteger {
		numbers = append(numbers, key.integer())
		if len(numbers) > 8 {
			return nil, ErrFormat
		}
	}
	if key.failed || len(numbers) != 8 { // DSA has five
		return nil, ErrFormat
	}
	primes := numbers[3:5]
	if key.peek() == tagSequence {
		for others := key.sequence(tagSequence); others.more() && len(primes) < 8; {
			other := others.sequence(tagSequence)
			primes = append(primes, other.integer())
			if other.failed {
				return nil, ErrFormat
			}
		}
	}
	return keyOf(newRSA(numbers[0], numbers[1], numbers[2], primes))
}

// parseSEC1 parses an ECPrivateKey (RFC 5915) after its version. The curve may
// be known from outside, as params.
func parseSEC1(key *ber, params []byte) (any, error) {
	d := key.octets()
	if key.peek() == tagContext0 {
		inner := key.next(tagContext0)
		if len(params) == 0 {
			params = inner.body
		}
	}
	if key.failed || len(d) > maxInteger {
		return nil, ErrFormat
	}
	curve, err := curveOf(params)
	if err != nil {
		return nil, err
	}
	return keyOf(newECDSA(curve, new(big.Int).SetBytes(d)))
}

// keyOf keeps a nil pointer from becoming an interface that is not nil.
func keyOf[T any](key *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return key, nil
}

// parsePKCS8 parses a PrivateKeyInfo (RFC 5958) after its version.
func parsePKCS8(key *ber) (any, error) {
	alg := key.algorithm()
	content := key.octets()
	if key.failed {
		return nil, ErrFormat
	}
	inner := &ber{in: content}
	switch alg.oid {
	case oidRSA, oidX500RSA:
		seq := inner.sequence(tagSequence)
		seq.integer()
		return parsePKCS1(seq)
	case oidEC:
		seq := inner.sequence(tagSequence)
		seq.integer()
		return parseSEC1(seq, alg.params)
	case oidEd25519:
		seed := inner.octets()
		if inner.failed || len(seed) != ed25519.SeedSize {
			return nil, ErrFormat
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	return nil, ErrFormat
}
