package sshkey

import (
	"crypto/rsa"
	"math/big"
)

// The sizes of RSA keys that OpenSSH and OpenSSL use, in bits.
const (
	minModulus = 1024
	maxModulus = 16384
)

// newRSA makes a key of the numbers in a file. OpenSSL uses keys whose parts do
// not fit together, since it checks each result and computes it in another way
// when it is wrong; crypto/rsa refuses them. So only n, e and whatever gives the
// factors are taken from the file, and the rest is computed.
func newRSA(n, e, d *big.Int, primes []*big.Int) (*rsa.PrivateKey, error) {
	switch {
	case n.BitLen() < minModulus:
		return nil, ErrLength
	case n.BitLen() > maxModulus, n.Bit(0) == 0, e.Bit(0) == 0, e.Cmp(big.NewInt(3)) < 0:
		return nil, ErrLibcrypto
	case e.BitLen() > 31:
		return nil, ErrRSAExponent // crypto/rsa has no such keys
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}}
	if !areFactors(n, primes) {
		primes = factors(n, e, d)
	}
	if primes == nil {
		return nil, ErrLibcrypto
	}
	lambda := big.NewInt(1)
	for _, p := range primes {
		less := new(big.Int).Sub(p, big.NewInt(1))
		gcd := new(big.Int).GCD(nil, nil, lambda, less)
		lambda.Mul(lambda, less.Div(less, gcd))
	}
	key.D = new(big.Int).ModInverse(e, lambda)
	if key.D == nil {
		return nil, ErrLibcrypto
	}
	key.Primes = primes
	key.Precompute()
	if key.Validate() == nil {
		return key, nil
	}
	// Such as factors that are too close. The agent's format has two factors.
	plain := &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D}
	plain.Precompute()
	return plain, nil
}

// areFactors reports whether n is the product of the numbers.
func areFactors(n *big.Int, numbers []*big.Int) bool {
	if len(numbers) < 2 {
		return false
	}
	product := big.NewInt(1)
	for _, p := range numbers {
		if p.BitLen() < 2 || p.BitLen() >= n.BitLen() {
			return false
		}
		if product.Mul(product, p); product.BitLen() > n.BitLen() {
			return false
		}
	}
	return product.Cmp(n) == 0
}

// factors computes the two factors of n from both exponents (NIST SP 800-56B,
// appendix C), nil if they do not belong together.
func factors(n, e, d *big.Int) []*big.Int {
	one := big.NewInt(1)
	k := new(big.Int).Mul(e, d)
	if k.Cmp(one) <= 0 || k.BitLen() > 2*n.BitLen()+64 {
		return nil
	}
	if two := big.NewInt(2); new(big.Int).Exp(two, k, n).Cmp(two) != 0 {
		return nil
	}
	k.Sub(k, one)
	t := k.TrailingZeroBits()
	k.Rsh(k, t)
	last := new(big.Int).Sub(n, one)
	const attempts = 64 // each fails with a probability of one half
	for base := int64(2); base < 2+attempts; base++ {
		x := new(big.Int).Exp(big.NewInt(base), k, n)
		for range t {
			if x.Cmp(one) == 0 || x.Cmp(last) == 0 {
				break
			}
			y := new(big.Int).Mul(x, x)
			y.Mod(y, n)
			if y.Cmp(one) == 0 {
				p := new(big.Int).GCD(nil, nil, x.Sub(x, one), n)
				q := new(big.Int).Div(n, p)
				if found := []*big.Int{p, q}; areFactors(n, found) {
					return found
				}
				break
			}
			x = y
		}
	}
	return nil
}
