package transport

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Names in the list of key exchange methods that are no methods.
const (
	extInfoClient = "ext-info-c" // RFC 8308
	strictClient  = "kex-strict-c-v00@openssh.com"
	strictServer  = "kex-strict-s-v00@openssh.com"
)

// Algorithms are what a key exchange agreed on.
type Algorithms struct {
	KeyExchange string
	HostKey     string
	Read, Write Direction
}

// A Direction is what protects the packets of one direction.
type Direction struct {
	Cipher      string
	MAC         string // empty if the cipher authenticates
	Compression string // "none"
}

// agree chooses one name: the first of the client's that the server has, too
// (RFC 4253, section 7.1).
func agree(what string, client, server []string) (string, error) {
	for _, name := range client {
		if slices.Contains(server, name) {
			return name, nil
		}
	}
	return "", &ssh.AlgorithmNegotiationError{What: what, SupportedAlgorithms: client, RequestedAlgorithms: server}
}

// negotiate chooses everything.
func negotiate(client, server *kexInitMsg) (a Algorithms, err error) {
	choose := func(what string, c, s []string) (name string) {
		if err == nil {
			name, err = agree(what, c, s)
		}
		return name
	}
	a.KeyExchange = choose("key exchange", methodsOnly(client.KexAlgos), server.KexAlgos)
	a.HostKey = choose("host key", client.ServerHostKeyAlgos, server.ServerHostKeyAlgos)
	a.Write.Cipher = choose("client to server cipher", client.CiphersClientServer, server.CiphersClientServer)
	a.Read.Cipher = choose("server to client cipher", client.CiphersServerClient, server.CiphersServerClient)
	if !authenticates(a.Write.Cipher) {
		a.Write.MAC = choose("client to server MAC", client.MACsClientServer, server.MACsClientServer)
	}
	if !authenticates(a.Read.Cipher) {
		a.Read.MAC = choose("server to client MAC", client.MACsServerClient, server.MACsServerClient)
	}
	a.Write.Compression = choose("client to server compression", client.CompressionClientServer, server.CompressionClientServer)
	a.Read.Compression = choose("server to client compression", client.CompressionServerClient, server.CompressionServerClient)
	return a, err
}

func authenticates(cipher string) bool {
	s := cipherByName(cipher)
	return s != nil && s.aead
}

// methodsOnly leaves out the names that are no key exchange methods.
func methodsOnly(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == extInfoClient || name == "ext-info-s" || strings.HasPrefix(name, "kex-strict-")
	})
}

// guessedRight reports whether the packet that follows the server's or the
// client's KEXINIT is of the method that is used: the first key exchange method
// and the first host key algorithm of both sides have to be the same.
func guessedRight(client, server *kexInitMsg) bool {
	first := func(names []string) string {
		if len(names) == 0 {
			return ""
		}
		return names[0]
	}
	return first(methodsOnly(client.KexAlgos)) == first(methodsOnly(server.KexAlgos)) &&
		first(client.ServerHostKeyAlgos) == first(server.ServerHostKeyAlgos)
}

// SupportedKeyExchanges returns the names of all key exchange methods.
func SupportedKeyExchanges() []string {
	var names []string
	for _, m := range methods() {
		names = append(names, m.names...)
	}
	return names
}

// SupportedCiphers returns the names of all ciphers.
func SupportedCiphers() []string {
	var names []string
	for _, s := range ciphers() {
		names = append(names, s.name)
	}
	return names
}

// SupportedMACs returns the names of all MACs.
func SupportedMACs() []string {
	var names []string
	for _, s := range macs() {
		names = append(names, s.name)
	}
	return names
}
