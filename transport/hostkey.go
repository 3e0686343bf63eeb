package transport

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// verifyHostKey checks that the server has signed the exchange with its host key,
// with the algorithm that was agreed on, and asks Config.HostKey.
func (c *Conn) verifyHostKey(t *transcript, algorithm string) error {
	bad := func(err error) error { return &HostKeyError{Algorithm: algorithm, Err: err} }
	key, err := ssh.ParsePublicKey(t.hostKey)
	if err != nil {
		return bad(err)
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal(t.signature, &sig); err != nil || len(sig.Rest) > 0 && !strings.HasPrefix(sig.Format, "sk-") {
		return bad(errors.New("malformed signature"))
	}
	if want, _ := sshkey.SignatureAlgorithm(algorithm); sig.Format != want || !ofType(key, algorithm) {
		return bad(fmt.Errorf("key of type %q with a signature of %q", key.Type(), sig.Format))
	}
	if err := key.Verify(t.sum, &sig); err != nil {
		return bad(err)
	}
	hk := HostKey{Algorithm: algorithm, Key: key, Signature: t.signature}
	if c.sessionID == nil {
		c.firstHostKey = hk
	}
	if c.cfg.HostKey == nil {
		return bad(errors.New("no Config.HostKey"))
	}
	if err := c.cfg.HostKey(hk); err != nil {
		return bad(err)
	}
	return nil
}

// ofType reports whether a key is one that an algorithm is for.
func ofType(key ssh.PublicKey, algorithm string) bool {
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return key.Type() == ssh.KeyAlgoRSA
	case ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01:
		return key.Type() == ssh.CertAlgoRSAv01
	}
	return key.Type() == algorithm
}
