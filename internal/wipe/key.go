package wipe

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
)

// Key overwrites a private key, which cannot be used any more: an
// *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, or a pointer to that.
// It does nothing for any other type. What the standard library has computed
// from the key goes with it, once it is collected: see Freed.
func Key(key any) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		clear(k)
	case *ed25519.PrivateKey:
		clear(*k)
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 there is no other way to the number itself
		number(k.D)
	case *rsa.PrivateKey:
		number(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
		number(k.Primes...)
		//lint:ignore SA1019 they hold parts of the key all the same
		for _, v := range k.Precomputed.CRTValues {
			number(v.Exp, v.Coeff, v.R)
		}
	}
}

// number zeroes the words of each number.
func number(numbers ...*big.Int) {
	for _, n := range numbers {
		if n != nil {
			words := n.Bits()
			clear(words[:cap(words)])
			n.SetInt64(0)
		}
	}
}
