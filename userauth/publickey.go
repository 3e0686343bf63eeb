package userauth

import (
	crand "crypto/rand"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// Extensions of the server (RFC 8308; OpenSSH's PROTOCOL).
const (
	serverSigAlgs = "server-sig-algs"
	hostBound     = "publickey-hostbound@openssh.com"
)

type publicKey struct {
	signer ssh.Signer
	quick  bool
}

// PublicKey returns the method "publickey" with one key (RFC 4252, section 7). The
// server is asked whether it accepts the key before the signer is asked to sign.
// An ssh.MultiAlgorithmSigner is used with the first of its algorithms that the
// server knows.
//
// If the server has announced it, the host key is part of what is signed
// (publickey-hostbound-v00@openssh.com), as agents want it for keys that are
// limited to some hosts.
func PublicKey(signer ssh.Signer) Method { return &publicKey{signer: signer} }

// QuickPublicKey is PublicKey without the question: the signature is sent at
// once, which saves a round trip if the server accepts the key.
func QuickPublicKey(signer ssh.Signer) Method { return &publicKey{signer: signer, quick: true} }

func (*publicKey) name() string { return "publickey" }

func (m *publicKey) run(c *client) (outcome, error) {
	algorithm, err := m.algorithm(c)
	if err != nil {
		return outcome{}, &methodError{err}
	}
	if !m.quick {
		accepted, out, err := m.query(c, algorithm)
		if err != nil || !accepted {
			return out, err
		}
	}
	request, err := m.signed(c, algorithm)
	if err != nil {
		return outcome{}, &methodError{err}
	}
	if err := c.send(request); err != nil {
		return outcome{}, err
	}
	return c.finalAnswer()
}

// algorithm chooses the signature algorithm, by its name on the wire.
func (m *publicKey) algorithm(c *client) (string, error) {
	pub := m.signer.PublicKey()
	has := []string{pub.Type()}
	if multi, ok := m.signer.(ssh.MultiAlgorithmSigner); ok {
		has = nil
		for _, a := range multi.Algorithms() {
			has = append(has, wireAlgorithm(pub, a))
		}
	} else if pub.Type() == ssh.KeyAlgoRSA || pub.Type() == ssh.CertAlgoRSAv01 {
		has = []string{wireAlgorithm(pub, ssh.KeyAlgoRSASHA512), wireAlgorithm(pub, ssh.KeyAlgoRSASHA256), pub.Type()}
	}
	if len(has) == 0 {
		return "", fmt.Errorf("userauth: the key has no signature algorithm")
	}
	// Without the extension, or without a common name in it, the name of the key's
	// own type is the one that every server knows.
	list, _ := c.t.Extension(serverSigAlgs)
	known := strings.Split(list, ",")
	for _, a := range has {
		if slices.Contains(known, a) || slices.Contains(known, signatureAlgorithm(a)) {
			return a, nil
		}
	}
	if slices.Contains(has, pub.Type()) {
		return pub.Type(), nil
	}
	return "", fmt.Errorf("userauth: no mutual signature algorithm for a key of type %s", pub.Type())
}

// wireAlgorithm is the name of a signature algorithm with a key, which may be a
// certificate.
func wireAlgorithm(pub ssh.PublicKey, algorithm string) string {
	if _, ok := pub.(*ssh.Certificate); !ok {
		return algorithm
	}
	if _, cert := sshkey.SignatureAlgorithm(algorithm); cert {
		return algorithm
	}
	return sshkey.CertificateAlgorithm(algorithm)
}

// signatureAlgorithm returns the signature algorithm of a name on the wire.
func signatureAlgorithm(name string) string {
	algorithm, _ := sshkey.SignatureAlgorithm(name)
	return algorithm
}

// method is the name on the wire, and the field that it adds.
func (m *publicKey) method(c *client) (name string, hostKey []byte) {
	if version, ok := c.t.Extension(hostBound); ok && version == "0" {
		return "publickey-hostbound-v00@openssh.com", c.t.HostKey().Key.Marshal()
	}
	return "publickey", nil
}

// body returns the request without its signature.
func (m *publicKey) body(c *client, algorithm string, signed bool) []byte {
	name, hostKey := m.method(c)
	p := wire.AppendBool(c.request(name), signed)
	p = wire.AppendString(p, algorithm)
	p = wire.AppendString(p, m.signer.PublicKey().Marshal())
	if hostKey != nil {
		p = wire.AppendString(p, hostKey)
	}
	return p
}

// query asks whether the server accepts the key.
func (m *publicKey) query(c *client, algorithm string) (accepted bool, out outcome, err error) {
	if err := c.send(m.body(c, algorithm, false)); err != nil {
		return false, out, err
	}
	out, other, err := c.answer()
	if err != nil {
		return false, out, err
	}
	if other == nil {
		if out.success {
			return false, out, protocolErrorf("success without a signature")
		}
		return false, out, nil
	}
	var ok struct {
		Algorithm string `sshtype:"60"`
		Key       []byte
	}
	if err := ssh.Unmarshal(other, &ok); err != nil {
		return false, out, protocolErrorf("malformed answer to a public key")
	}
	if string(ok.Key) != string(m.signer.PublicKey().Marshal()) {
		return false, out, protocolErrorf("answer about another public key")
	}
	return true, out, nil
}

// signed returns the request with its signature.
func (m *publicKey) signed(c *client, algorithm string) ([]byte, error) {
	p := m.body(c, algorithm, true)
	data := append(wire.AppendString(nil, c.t.SessionID()), p...)
	random := c.cfg.Rand
	if random == nil {
		random = crand.Reader
	}
	var sig *ssh.Signature
	var err error
	if s, ok := m.signer.(ssh.AlgorithmSigner); ok {
		sig, err = s.SignWithAlgorithm(random, data, signatureAlgorithm(algorithm))
	} else {
		sig, err = m.signer.Sign(random, data)
	}
	if err != nil {
		return nil, err
	}
	return wire.AppendString(p, ssh.Marshal(sig)), nil
}
