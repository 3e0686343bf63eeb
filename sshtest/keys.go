package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// NewKey makes a private key of an SSH key format: ssh-ed25519, ssh-rsa (2048
// bits) or ecdsa-sha2-nistp256, -384, -521.
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

// NewSigner is NewKey for those who need no more than the signer.
func NewSigner(format string) (ssh.Signer, error) {
	key, err := NewKey(format)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromSigner(key)
}

// newClientKey makes Server.ClientKey, and its file's content.
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
	Config     string // for -F: Host "sshtest" is the server, and so is every name
	Identity   string // ClientKey, mode 0600; its public half is beside it, .pub
	KnownHosts string
}

// WriteFiles writes Files into dir, which must exist. The configuration lets
// ssh and gossh log in as DefaultUser without asking or touching anything
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
