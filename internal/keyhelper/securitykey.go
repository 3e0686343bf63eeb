package keyhelper

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// The messages of ssh-sk-helper (ssh-sk.h in OpenSSH).
const (
	skHelperVersion = 5 // of 8.2 and all later releases
	skHelperError   = 0
	skHelperSign    = 1

	logLevelError  = 2 // OpenSSH's LogLevel
	logLevelDebug3 = 7
)

// Flags of a SecurityKey.
const (
	FlagUserPresence     = 0x01 // a touch is needed
	FlagUserVerification = 0x04 // a PIN or a fingerprint is needed
)

// SecurityKey is a key that a FIDO token holds, as its private key file has
// it: enough for the token to find the key, and of no use without the token.
type SecurityKey struct {
	Public    ssh.PublicKey // sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com
	Flags     uint8
	KeyHandle []byte
	Reserved  []byte
}

// marshal writes the key as OpenSSH serialises a private one: the fields of
// the public key, then the rest.
func (k *SecurityKey) marshal() []byte {
	b := append(k.Public.Marshal(), k.Flags)
	b = wire.AppendString(b, k.KeyHandle)
	return wire.AppendString(b, k.Reserved)
}

// SKError is a failure that ssh-sk-helper reports, as one of OpenSSH's numbers
// (ssherr.h), without the sign.
type SKError uint32

// The failures that callers tell apart.
const (
	ErrSKInvalidFormat  SKError = 4
	ErrSKPIN            SKError = 43 // a PIN is needed, or it was wrong
	ErrSKUnsupported    SKError = 59
	ErrSKDeviceNotFound SKError = 60
)

func (e SKError) Error() string {
	switch e {
	case ErrSKInvalidFormat:
		return "invalid format"
	case ErrSKPIN:
		return "incorrect passphrase supplied to decrypt private key"
	case ErrSKUnsupported:
		return "requested feature not supported"
	case ErrSKDeviceNotFound:
		return "device not found"
	}
	return fmt.Sprintf("security key error %d", uint32(e))
}

// SignSecurityKey signs data with a key on a FIDO token. The provider is
// the value of SecurityKeyProvider: "internal", or the path of a library. The
// pin may be empty. The call blocks while the token waits for a touch. The error is
// an SKError or a *ProgramError, or the cause of ctx.
func SignSecurityKey(ctx context.Context, provider string, key *SecurityKey, data, pin []byte, o Options) (*ssh.Signature, error) {
	for _, s := range [...]string{provider, string(pin)} {
		if strings.ContainsRune(s, 0) {
			return nil, ErrSKInvalidFormat // the helper would die of it
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.touchTime(), ErrTimeout)
	defer cancel()
	p, err := start(ctx, SKHelper, &o)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	request := skRequest(provider, key, data, pin, &o)
	defer clear(request)
	answer, err := p.converse(ctx, request)
	if err != nil {
		return nil, err
	}
	p.leave()
	sig, err := parseSKAnswer(answer)
	if err != nil {
		if _, reported := err.(SKError); !reported {
			err = p.failed(err)
		}
		return nil, err
	}
	if sig.Format != key.Public.Type() {
		return nil, p.failed(fmt.Errorf("%w: signature type %s", ErrProtocol, sig.Format))
	}
	return sig, nil
}

// skRequest is a request to sign: the version, the kind, where and how much to
// log, then the key, the provider, the data, no algorithm, no compatibility
// flags, and the PIN.
func skRequest(provider string, key *SecurityKey, data, pin []byte, o *Options) []byte {
	private := key.marshal()
	defer clear(private)
	level := uint32(logLevelError)
	if o.Debug {
		level = logLevelDebug3
	}
	// With room for all, nothing is copied, and clear gets everything.
	b := make([]byte, 0, 64+len(private)+len(provider)+len(data)+len(pin))
	b = append(b, skHelperVersion)
	b = binary.BigEndian.AppendUint32(b, skHelperSign)
	b = append(b, 1) // log to stderr
	b = binary.BigEndian.AppendUint32(b, level)
	b = wire.AppendString(b, private)
	b = wire.AppendString(b, provider)
	b = wire.AppendString(b, data)
	b = wire.AppendString(b, "")
	b = binary.BigEndian.AppendUint32(b, 0)
	return wire.AppendString(b, pin)
}

// parseSKAnswer returns the signature, or the SKError that the helper reports.
func parseSKAnswer(answer []byte) (*ssh.Signature, error) {
	r := wire.NewReader(answer)
	version, kind := r.Byte(), r.Uint32()
	switch {
	case r.Err() != nil:
		return nil, malformed(r.Err())
	case version != skHelperVersion:
		return nil, fmt.Errorf("%w: version %d", ErrProtocol, version)
	case kind == skHelperError:
		code := r.Uint32()
		if err := malformed(r.End()); err != nil {
			return nil, err
		}
		return nil, SKError(code)
	case kind != skHelperSign:
		return nil, fmt.Errorf("%w: message type %d", ErrProtocol, kind)
	}
	blob := r.Bytes()
	if err := malformed(r.End()); err != nil {
		return nil, err
	}
	return parseSignature(blob)
}

// parseSignature reads a signature as in RFC 4253, section 6.6. A security
// key's has its flags and counter behind it.
func parseSignature(blob []byte) (*ssh.Signature, error) {
	r := wire.NewReader(blob)
	sig := &ssh.Signature{Format: string(r.Bytes()), Blob: r.Bytes()}
	if r.Err() != nil {
		return nil, malformed(r.Err())
	}
	sig.Rest = r.Rest()
	if len(sig.Rest) == 0 {
		sig.Rest = nil
	}
	return sig, nil
}
