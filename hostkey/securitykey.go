package hostkey

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

var errBadSignature = errors.New("signature does not verify")

// verifyProof verifies a host key's signature. Nobody touches the security key
// of a server: sshd signs without user presence, which ssh accepts from hosts
// and x/crypto from nobody, so these signatures are verified here.
func verifyProof(key ssh.PublicKey, data []byte, sig *ssh.Signature) error {
	if t := key.Type(); t != ssh.KeyAlgoSKED25519 && t != ssh.KeyAlgoSKECDSA256 {
		return key.Verify(data, sig)
	}
	if sig.Format != key.Type() {
		return fmt.Errorf("signature type %s for key type %s", sig.Format, key.Type())
	}
	w := wire.NewReader(key.Marshal())
	w.Bytes()
	if sig.Format == ssh.KeyAlgoSKECDSA256 {
		w.Bytes() // the curve, nistp256 by the type
	}
	point, application := w.Bytes(), w.Bytes()
	flags := wire.NewReader(sig.Rest)
	signed := securityKeyMessage(application, flags.Byte(), flags.Uint32(), data)
	if w.Err() != nil || flags.Err() != nil || flags.More() {
		return wire.ErrShort
	}
	ok := false
	if sig.Format == ssh.KeyAlgoSKED25519 {
		ok = len(point) == ed25519.PublicKeySize && ed25519.Verify(point, signed, sig.Blob)
	} else {
		ok = verifyP256(point, signed, sig.Blob)
	}
	if !ok {
		return errBadSignature
	}
	return nil
}

// securityKeyMessage is what a security key signs (PROTOCOL.u2f, SSH U2F
// Signatures).
func securityKeyMessage(application []byte, flags uint8, counter uint32, data []byte) []byte {
	app, message := sha256.Sum256(application), sha256.Sum256(data)
	signed := append(app[:], flags)
	signed = binary.BigEndian.AppendUint32(signed, counter)
	return append(signed, message[:]...)
}

func verifyP256(point, signed, blob []byte) bool {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return false
	}
	var sig struct{ R, S *big.Int }
	if ssh.Unmarshal(blob, &sig) != nil {
		return false
	}
	digest := sha256.Sum256(signed)
	return ecdsa.Verify(pub, digest[:], sig.R, sig.S)
}
