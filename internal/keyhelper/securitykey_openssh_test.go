package keyhelper

import (
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/testenv"

	"github.com/gossh-project/gossh/internal/wire"
)

// TestSecurityKeyWithOpenSSH signs through the helper that is installed, or
// that SSH_SK_HELPER names, with OpenSSH's provider for tests. It reads
// the parts of the key from a file that ssh-keygen enrolled.
func TestSecurityKeyWithOpenSSH(t *testing.T) {
	needHelper(t, SKHelper)
	provider := testenv.SKProvider(t)
	for _, kind := range []string{"ed25519-sk", "ecdsa-sk"} {
		t.Run(kind, func(t *testing.T) {
			file := testenv.EnrollSecurityKey(t, provider, kind)
			key := readSecurityKey(t, file)
			log := newTestLog(t)
			data := []byte("data to be signed")
			sig, err := SignSecurityKey(t.Context(), provider, key, data, nil, Options{Log: log.add})
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Public.Verify(data, sig); err != nil {
				t.Error(err)
			}
			log.mustBeEmpty()
			if _, err := SignSecurityKey(t.Context(), "/dev/null", key, data, nil, Options{Log: log.add}); err == nil {
				t.Error("signed without a provider")
			} else if len(log.lines()) == 0 {
				t.Error("the helper's reason was not logged")
			}
			var reported SKError
			broken := *key
			broken.KeyHandle = []byte("no such key")
			_, err = SignSecurityKey(t.Context(), provider, &broken, data, nil, Options{})
			if !errors.As(err, &reported) {
				t.Errorf("a key that the provider does not know: %v", err)
			}
		})
	}
}

// readSecurityKey takes an unencrypted file of OpenSSH's apart.
func readSecurityKey(t *testing.T, file string) *SecurityKey {
	t.Helper()
	r := wire.NewReader(testenv.PrivateSection(t, file))
	r.Uint32()
	r.Uint32()
	start := len(r.Rest())
	all := r.Rest()
	kind := string(r.Bytes())
	if kind == ssh.KeyAlgoSKECDSA256 {
		r.Bytes()
	}
	r.Bytes()
	r.Bytes()
	pub, err := ssh.ParsePublicKey(all[:start-len(r.Rest())])
	if err != nil {
		t.Fatal(err)
	}
	key := &SecurityKey{Public: pub, Flags: r.Byte(), KeyHandle: r.Bytes(), Reserved: r.Bytes()}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return key
}
