package hostkey

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// proveRequest is the name of the request, and the first thing that is signed.
const proveRequest = "hostkeys-prove-00@openssh.com"

// ErrBadProof means that the server did not prove that it has the private half of
// a key that it announced. Nothing is written then.
var ErrBadProof = errors.New("server gave a bad proof for an announced host key")

// provePayload is the payload of hostkeys-prove-00@openssh.com: the keys that
// are not on file, in the server's order (section 2.5 of OpenSSH's PROTOCOL).
func (p *updatePlan) provePayload() []byte {
	var out []byte
	for _, k := range p.unproven() {
		out = wire.AppendString(out, k.key.Marshal())
	}
	return out
}

// checkProofs verifies the reply: a signature for each key that was asked for,
// and nothing else. Each is bound to this connection by the session ID.
func (p *updatePlan) checkProofs(reply, sessionID []byte, negotiated string) error {
	w := wire.NewReader(reply)
	for _, k := range p.unproven() {
		blob := w.Bytes()
		var sig ssh.Signature
		if w.Err() != nil || ssh.Unmarshal(blob, &sig) != nil {
			return fmt.Errorf("%w: %s: unintelligible signature", ErrBadProof, k.key.Type())
		}
		if k.key.Type() == ssh.KeyAlgoRSA {
			ok, err := rsaProof(sig.Format, negotiated)
			if err != nil {
				return err
			}
			if !ok {
				k.zapped = true
				continue
			}
		}
		data := wire.AppendString(nil, []byte(proveRequest))
		data = wire.AppendString(data, sessionID)
		data = wire.AppendString(data, k.key.Marshal())
		if err := verifyProof(k.key, data, &sig); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrBadProof, k.key.Type(), err)
		}
		k.proven = true
	}
	if len(w.Rest()) != 0 {
		return fmt.Errorf("%w: more signatures than keys", ErrBadProof)
	}
	p.keys = slices.DeleteFunc(p.keys, func(k *announced) bool { return k.zapped })
	return nil
}

// rsaProof judges the algorithm of an RSA signature. If the key exchange was
// done with RSA, the proof must use that algorithm; else it must be SHA-2, and
// a key proven with SHA-1 is passed over.
func rsaProof(format, negotiated string) (ok bool, err error) {
	if plainFormat(negotiated) == ssh.KeyAlgoRSA {
		if format != signatureFormat(negotiated) {
			return false, fmt.Errorf("%w: signed with %s, not %s", ErrBadProof, format, negotiated)
		}
		return true, nil
	}
	return format == ssh.KeyAlgoRSASHA512 || format == ssh.KeyAlgoRSASHA256, nil
}

// signatureFormat takes a certificate's suffix off an RSA algorithm.
func signatureFormat(algorithm string) string {
	switch algorithm {
	case ssh.CertAlgoRSASHA512v01:
		return ssh.KeyAlgoRSASHA512
	case ssh.CertAlgoRSASHA256v01:
		return ssh.KeyAlgoRSASHA256
	case ssh.CertAlgoRSAv01:
		return ssh.KeyAlgoRSA
	}
	return algorithm
}
