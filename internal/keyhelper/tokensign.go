package keyhelper

import (
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// dialect is how a helper wants to be asked for a signature.
type dialect int

const (
	dialectUnknown dialect = iota
	// dialectClassic is of OpenSSH before 10.1: the helper gets what the raw
	// operation works on, and returns what that gives.
	dialectClassic
	// dialectModern is of 10.1 and later: the helper gets the data and the
	// algorithm, and returns an SSH signature.
	dialectModern
)

// Sign signs data with a key of the token, by the algorithm algo: the key's
// type, or for RSA also rsa-sha2-256 and rsa-sha2-512. The signature is
// verified. It blocks while the token waits for a touch. The error is
// ErrRefused, a *ProgramError or the cause of ctx.
func (t *Token) Sign(ctx context.Context, key ssh.PublicKey, data []byte, algo string) (*ssh.Signature, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken != nil {
		return nil, t.broken
	}
	if t.dialect == dialectUnknown {
		d, err := t.probe(ctx)
		if err != nil {
			return nil, err
		}
		t.dialect = d
	}
	sig, err := t.sign(ctx, key, data, algo)
	if err == nil {
		if bad := key.Verify(data, sig); bad != nil {
			err = t.process.failed(fmt.Errorf("%w: %w", ErrProtocol, bad))
		}
	}
	if err != nil {
		return nil, err
	}
	return sig, nil
}

func (t *Token) sign(ctx context.Context, key ssh.PublicKey, data []byte, algo string) (*ssh.Signature, error) {
	var request []byte
	if t.dialect == dialectModern {
		request = modern(signRequest(key, data), algo)
	} else {
		input, err := rawInput(key, data, algo)
		if err != nil {
			return nil, err
		}
		request = classic(signRequest(key, input))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.opts.touchTime(), ErrTimeout)
	defer cancel()
	answer, err := t.process.converse(ctx, request)
	if err != nil {
		t.broken = err
		return nil, err
	}
	blob, err := parseSignResponse(answer)
	if err == nil {
		var sig *ssh.Signature
		if t.dialect == dialectModern {
			sig, err = parseSignature(blob)
		} else {
			sig, err = rawSignature(key, blob, algo)
		}
		if err == nil && sig.Format != algo {
			err = fmt.Errorf("%w: signature type %s", ErrProtocol, sig.Format)
		}
		if err == nil {
			return sig, nil
		}
	}
	if !errors.Is(err, ErrRefused) {
		err = t.process.failed(err)
	}
	return nil, err
}

// probe finds the dialect out, with a helper of its own and no provider: a
// modern helper ends when it gets a second one.
func (t *Token) probe(ctx context.Context) (dialect, error) {
	const none = "/dev/null/none" // below what is no folder
	o := t.opts
	o.Log = nil
	p, err := start(ctx, PKCS11Helper, &o, "-v")
	if err != nil {
		return dialectUnknown, err
	}
	defer p.kill()
	ctx, cancel := context.WithTimeoutCause(ctx, t.opts.answerTime(), ErrTimeout)
	defer cancel()
	if _, err := p.converse(ctx, addRequest(none, nil)); err != nil {
		return dialectUnknown, err
	}
	_, err = p.converse(ctx, addRequest(none, nil))
	switch {
	case err == nil:
		return dialectClassic, nil
	case errors.Is(err, ErrEnded):
		return dialectModern, nil
	}
	return dialectUnknown, err
}

// errAlgorithm says that the classic dialect cannot sign by the algorithm.
var errAlgorithm = errors.New("keyhelper: algorithm not supported")

// rawInput is what the token's own operation signs: the hash, for RSA wrapped
// as in RFC 8017, section 9.2.
func rawInput(key ssh.PublicKey, data []byte, algo string) ([]byte, error) {
	hash, digest := crypto.Hash(0), []byte(nil)
	switch algo {
	case ssh.KeyAlgoRSA:
		sum := sha1.Sum(data)
		hash, digest = crypto.SHA1, sum[:]
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoECDSA256:
		sum := sha256.Sum256(data)
		hash, digest = crypto.SHA256, sum[:]
	case ssh.KeyAlgoECDSA384:
		sum := sha512.Sum384(data)
		hash, digest = crypto.SHA384, sum[:]
	case ssh.KeyAlgoRSASHA512, ssh.KeyAlgoECDSA521:
		sum := sha512.Sum512(data)
		hash, digest = crypto.SHA512, sum[:]
	default:
		return nil, fmt.Errorf("%w: %s", errAlgorithm, algo)
	}
	if key.Type() != ssh.KeyAlgoRSA {
		return digest, nil
	}
	return digestInfo(hash, digest)
}

// digestInfo is the ASN.1 structure of RFC 8017, section 9.2.
func digestInfo(hash crypto.Hash, digest []byte) ([]byte, error) {
	oid := map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1:   {1, 3, 14, 3, 2, 26},
		crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
		crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
	}[hash]
	type algorithm struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	return asn1.Marshal(struct {
		Algorithm algorithm
		Digest    []byte
	}{algorithm{oid, asn1.NullRawValue}, digest})
}

// rawSignature makes an SSH signature of the operation's result: the number
// for RSA, and for ECDSA a sequence of two.
func rawSignature(key ssh.PublicKey, result []byte, algo string) (*ssh.Signature, error) {
	if key.Type() == ssh.KeyAlgoRSA {
		return &ssh.Signature{Format: algo, Blob: result}, nil
	}
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(result, &sig)
	if err != nil || len(rest) > 0 || sig.R.Sign() <= 0 || sig.S.Sign() <= 0 {
		return nil, fmt.Errorf("%w: no ECDSA signature", ErrProtocol)
	}
	return &ssh.Signature{Format: algo, Blob: ssh.Marshal(sig)}, nil
}
