package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// NewKey returns a new private key of an SSH key format: ssh-ed25519, ssh-rsa
// (2048 bits) or ecdsa-sha2-nistp256, -384, -521.
func NewKey(format string) (crypto.Signer, error) {
	switch format {
	case ssh.KeyAlgoED25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case ssh.KeyAlgoRSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case ssh.KeyAlgoECDSA256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ssh.KeyAlgoECDSA384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case ssh.KeyAlgoECDSA521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, fmt.Errorf("sshtest: no keys of format %q", format)
}

// NewSigner returns a signer for a new key of a format; see [NewKey].
func NewSigner(format string) (ssh.Signer, error) {
	key, err := NewKey(format)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromSigner(key)
}

// newClientKey returns Server.ClientKey and the content of its file.
func newClientKey() (ssh.Signer, []byte, error) {
	key, err := NewKey(ssh.KeyAlgoED25519)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "sshtest")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromSigner(key)
	return signer, pem.EncodeToMemory(block), err
}

// ClientKeyPEM returns ClientKey as the content of an identity file, in
// OpenSSH's format and without a passphrase.
func (s *Server) ClientKeyPEM() []byte { return append([]byte(nil), s.clientKeyPEM...) }

// Files are the files that an SSH program needs to log in to a server.
type Files struct {
	Config     string // for -F; any host name leads to the server
	Identity   string // ClientKey, with mode 0600; the public key is in Identity + ".pub"
	KnownHosts string
}

// WriteFiles writes Files into dir, which must exist. With this configuration
// ssh and gossh log in as DefaultUser without questions, and use no files
// outside dir.
func (s *Server) WriteFiles(dir string) (Files, error) {
	f := Files{
		Config:     filepath.Join(dir, "config"),
		Identity:   filepath.Join(dir, "id_ed25519"),
		KnownHosts: filepath.Join(dir, "known_hosts"),
	}
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return f, err
	}
	config := "Host *\n" +
		"  HostName " + host + "\n" +
		"  Port " + port + "\n" +
		"  User " + DefaultUser + "\n" +
		"  IdentityFile " + strconv.Quote(filepath.ToSlash(f.Identity)) + "\n" +
		"  IdentitiesOnly yes\n  IdentityAgent none\n  BatchMode yes\n" +
		"  UserKnownHostsFile " + strconv.Quote(filepath.ToSlash(f.KnownHosts)) + "\n" +
		"  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n"
	for _, w := range []struct {
		name    string
		content []byte
	}{
		{f.Config, []byte(config)},
		{f.Identity, s.clientKeyPEM},
		{f.Identity + ".pub", ssh.MarshalAuthorizedKey(s.ClientKey.PublicKey())},
		{f.KnownHosts, []byte(s.KnownHosts())},
	} {
		if err := os.WriteFile(w.name, w.content, 0o600); err != nil {
			return f, err
		}
	}
	return f, nil
}

// kexFault is a host key that stalls, or closes the connection, when the key
// exchange needs its signature.
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

// Sign implements ssh.Signer. The key exchange calls it if the algorithm has the
// key's own name.
func (k *kexFault) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	if err := k.c.reach(StageKex); err != nil {
		return nil, err
	}
	return k.AlgorithmSigner.Sign(r, data)
}

// announced returns the plain keys for hostkeys-00@openssh.com.
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

// proveHostKeys answers hostkeys-prove-00@openssh.com with a signature for each
// key, or fails if the server does not have one.
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

// signProof signs as sshd does: with an RSA key by the algorithm of the key
// exchange if that was RSA, and otherwise with SHA-512.
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
