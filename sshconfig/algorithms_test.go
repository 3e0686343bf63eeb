package sshconfig

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestAlgorithmsOfCrypto holds the tables against what x/crypto says it has.
func TestAlgorithmsOfCrypto(t *testing.T) {
	secure, insecure := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	check := func(what string, table []algorithm, has []string) {
		for _, a := range table {
			if slices.Contains(has, a.name) != a.supported && a.name != "curve25519-sha256@libssh.org" {
				t.Errorf("%s %s: supported is %v", what, a.name, a.supported)
			}
		}
		for _, name := range has {
			if !knownName(table, name) && !strings.HasPrefix(name, "arcfour") {
				t.Errorf("%s %s is missing", what, name)
			}
		}
	}
	check("cipher", cipherTable[:], append(secure.Ciphers, insecure.Ciphers...))
	check("mac", macTable[:], append(secure.MACs, insecure.MACs...))
	check("kex", kexTable[:], append(secure.KeyExchanges, insecure.KeyExchanges...))
	keys := slices.Concat(secure.HostKeys, insecure.HostKeys, secure.PublicKeyAuths, insecure.PublicKeyAuths)
	for _, k := range keyTable {
		// Certificates and keys of tokens are understood by the parser even
		// where x/crypto does not list them as host keys.
		if !k.cert() && !strings.HasPrefix(k.name, "sk-") && slices.Contains(keys, k.name) != k.supported {
			t.Errorf("key %s: supported is %v", k.name, k.supported)
		}
	}
}

func TestDefaultsAreSupported(t *testing.T) {
	for _, row := range keywordTable {
		if row.algs == noAlgorithms {
			continue
		}
		info := algorithmLists[row.algs]
		for name := range strings.SplitSeq(info.defaults, ",") {
			if !slices.Contains(info.all(), name) {
				t.Errorf("%s: %s is a default but not supported", row.name, name)
			}
		}
	}
}
