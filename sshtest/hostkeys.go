package sshtest

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// kexFault is a host key that stalls, or ends the connection, when the key
// exchange needs its signature: the client has sent its half and waits.
type kexFault struct {
	ssh.AlgorithmSigner
	c *Conn
}

// SignWithAlgorithm implements ssh.AlgorithmSigner.
func (k *kexFault) SignWithAlgorithm(r io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if err := k.c.reach(StageKex); err != nil {
		return nil, err
	}
	return k.AlgorithmSigner.SignWithAlgorithm(r, data, algorithm)
}

// Sign implements ssh.Signer; the key exchange uses it where the algorithm is
// the key's own name.
func (k *kexFault) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	if err := k.c.reach(StageKex); err != nil {
		return nil, err
	}
	return k.AlgorithmSigner.Sign(r, data)
}

// announced are the plain keys that hostkeys-00@openssh.com names.
func (s *Server) announced() []ssh.Signer {
	var keys []ssh.Signer
	for _, k := range append(s.HostKeys(), s.opts.NextHostKeys...) {
		if _, ok := k.PublicKey().(*ssh.Certificate); !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// announceHostKeys sends hostkeys-00@openssh.com (PROTOCOL, section 2.5).
func (c *Conn) announceHostKeys() {
	var payload []byte
	for _, k := range c.srv.announced() {
		payload = appendString(payload, k.PublicKey().Marshal())
	}
	c.SSH.SendRequest("hostkeys-00@openssh.com", false, payload)
}

// proveHostKeys answers hostkeys-prove-00@openssh.com with one signature for
// each key asked for, or fails if one is not ours.
func (c *Conn) proveHostKeys(payload []byte) (bool, []byte) {
	var answer []byte
	for len(payload) > 0 {
		blob, rest, ok := cutString(payload)
		if !ok {
			return false, nil
		}
		payload = rest
		signer := c.srv.hostKeyByBlob(blob)
		if signer == nil {
			return false, nil
		}
		data := appendString(nil, []byte("hostkeys-prove-00@openssh.com"))
		if c.srv.opts.BadHostKeyProof {
			data = appendString(nil, []byte("hostkeys-prove-00@example.com"))
		}
		data = appendString(data, c.SSH.SessionID())
		data = appendString(data, blob)
		sig, err := c.signProof(signer, data)
		if err != nil {
			return false, nil
		}
		answer = appendString(answer, ssh.Marshal(sig))
	}
	return true, answer
}

// signProof signs as sshd does: an RSA key with the algorithm of the key
// exchange if that was RSA, else with SHA-512.
func (c *Conn) signProof(k ssh.Signer, data []byte) (*ssh.Signature, error) {
	a, ok := k.(ssh.AlgorithmSigner)
	if !ok || k.PublicKey().Type() != ssh.KeyAlgoRSA {
		return k.Sign(rand.Reader, data)
	}
	algorithm := ssh.KeyAlgoRSASHA512
	if m, ok := c.SSH.Conn.(ssh.AlgorithmsConnMetadata); ok {
		if used := m.Algorithms().HostKey; strings.HasPrefix(used, "rsa-sha2-") && !strings.Contains(used, "cert") {
			algorithm = used
		}
	}
	return a.SignWithAlgorithm(rand.Reader, data, algorithm)
}

func (s *Server) hostKeyByBlob(blob []byte) ssh.Signer {
	for _, k := range s.announced() {
		if string(k.PublicKey().Marshal()) == string(blob) {
			return k
		}
	}
	return nil
}

// appendString appends an SSH string (RFC 4251, section 5).
func appendString(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// cutString takes an SSH string from the front of b.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, b, false
	}
	return b[4 : 4+n], b[4+n:], true
}
