package testenv

import (
	"encoding/binary"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// skProvider is the library in Debian's package openssh-tests that makes FIDO
// keys without a token.
const skProvider = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"

// SKProvider returns a SecurityKeyProvider that needs neither a token nor a
// person: $SSH_SK_PROVIDER, or Debian's. It skips the test if there is none.
func SKProvider(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("SSH_SK_PROVIDER")
	if path == "" {
		path = skProvider
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skip("no provider of FIDO keys for tests:", err)
	}
	return path
}

// EnrollSecurityKey makes a key of type ed25519-sk or ecdsa-sk with ssh-keygen
// and returns its file. It has no passphrase, unless options set one.
func EnrollSecurityKey(tb testing.TB, provider, kind string, options ...string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "id_"+kind)
	args := append([]string{"-q", "-t", kind, "-w", provider, "-N", "", "-C", kind, "-f", file}, options...)
	out, err := exec.Command("ssh-keygen", args...).CombinedOutput()
	if err != nil {
		tb.Skipf("ssh-keygen makes no FIDO key: %v %s", err, out)
	}
	return file
}

// PrivateSection returns the private section of an unencrypted key file in
// OpenSSH's format that holds one key (PROTOCOL.key): two check numbers and the
// key.
func PrivateSection(tb testing.TB, file string) []byte {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		tb.Fatalf("%s: no PEM block", file)
	}
	rest := block.Bytes[len("openssh-key-v1\x00"):]
	next := func() (field []byte) {
		n := binary.BigEndian.Uint32(rest)
		field, rest = rest[4:4+n], rest[4+n:]
		return field
	}
	next()          // cipher
	next()          // key derivation
	next()          // its options
	rest = rest[4:] // the number of keys
	next()          // the public key
	return next()
}
