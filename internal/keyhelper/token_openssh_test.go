package keyhelper

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/testenv"
)

// TestTokenWithSoftHSM signs with every kind of key through the helper that is
// installed, or that SSH_PKCS11_HELPER names.
func TestTokenWithSoftHSM(t *testing.T) {
	needHelper(t, PKCS11Helper)
	hsm := testenv.NewSoftHSM(t, "gossh test", "1234")
	t.Setenv("SOFTHSM2_CONF", hsm.Config)
	hsm.GenerateKey("rsa:2048", "rsa key")
	hsm.GenerateKey("EC:prime256v1", "ec key")
	hsm.GenerateKey("EC:secp384r1", "ec 384")
	var asked [][]string
	pin := func(_ context.Context, labels []string) ([]byte, error) {
		asked = append(asked, labels)
		return []byte("1234"), nil
	}
	log := newTestLog(t)
	token, err := OpenToken(t.Context(), hsm.Module, pin, Options{Log: log.add})
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if len(asked) != 1 || !slices.Equal(asked[0], []string{"gossh test"}) {
		t.Errorf("asked for the PIN of %q", asked)
	}
	algos := map[string][]string{ssh.KeyAlgoRSA: {ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}}
	var labels []string
	for _, key := range token.Keys() {
		labels = append(labels, key.Label)
		names := algos[key.Public.Type()]
		if names == nil {
			names = []string{key.Public.Type()}
		}
		for _, algo := range names {
			data := []byte("data to be signed, longer than a hash: 0123456789012345678901234567890123456789")
			sig, err := token.Sign(t.Context(), key.Public, data, algo)
			if err != nil {
				t.Errorf("%s: %v", algo, err)
				continue
			}
			if err := key.Public.Verify(data, sig); err != nil || sig.Format != algo {
				t.Errorf("%s: signature of %s: %v", algo, sig.Format, err)
			}
		}
	}
	slices.Sort(labels)
	if want := []string{"ec 384", "ec key", "rsa key"}; !slices.Equal(labels, want) {
		t.Errorf("keys %q, want %q", labels, want)
	}
	log.mustBeEmpty()
}

func TestTokenLoginWithSoftHSM(t *testing.T) {
	needHelper(t, PKCS11Helper)
	hsm := testenv.NewSoftHSM(t, "gossh test", "1234")
	t.Setenv("SOFTHSM2_CONF", hsm.Config)
	hsm.GenerateKey("EC:prime256v1", "ec key")
	log := newTestLog(t)
	_, err := OpenToken(t.Context(), hsm.Module, nil, Options{Log: log.add})
	if !errors.Is(err, ErrPINRequired) {
		t.Errorf("nobody to ask: %v", err)
	}
	wrong := func(context.Context, []string) ([]byte, error) { return []byte("4321"), nil }
	_, err = OpenToken(t.Context(), hsm.Module, wrong, Options{Log: log.add})
	var login *LoginError
	if !errors.As(err, &login) || login.Code != PINIncorrect {
		t.Errorf("wrong PIN: %v", err)
	}
	errNo := errors.New("no")
	refuse := func(context.Context, []string) ([]byte, error) { return nil, errNo }
	if _, err = OpenToken(t.Context(), hsm.Module, refuse, Options{Log: log.add}); !errors.Is(err, errNo) {
		t.Errorf("no answer: %v", err)
	}
	log.mustBeEmpty()
	if _, err = OpenToken(t.Context(), os.DevNull, wrong, Options{Log: log.add}); !errors.Is(err, ErrNoKeys) {
		t.Errorf("no library: %v", err)
	}
	if len(log.lines()) == 0 {
		t.Error("the helper's reason was not logged")
	}
}
