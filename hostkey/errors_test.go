package hostkey

import (
	"errors"
	"strings"
	"testing"
)

// Every refusal is ErrVerification, keeps its cause, and says what it is about.
func TestErrors(t *testing.T) {
	cause := errors.New("the cause")
	loc := &Location{File: "known_hosts", Line: 3, KeyType: "RSA"}
	for want, err := range map[string]error{
		"strict":         &UnknownError{Host: "a", KeyType: "RSA", Strict: StrictYes},
		"not accepted":   &UnknownError{Host: "a", KeyType: "RSA", Fingerprint: "SHA256:x"},
		"SHA256:x":       &ChangedError{Host: "a", KeyType: "RSA", Fingerprint: "SHA256:x"},
		"known_hosts:3":  &RevokedError{Host: "a", Location: loc},
		"revoked_file":   &RevokedError{Host: "a", File: "revoked_file"},
		"192.0.2.1":      &AddressError{Differs: AddressDiffers{Host: "a", Address: "192.0.2.1"}},
		"expired":        &CertError{Reason: "Certificate invalid: expired"},
		"1024":           &KeySizeError{Bits: 1024, Required: 2048},
		"SHA256:y":       &RekeyError{Accepted: "SHA256:x", Shown: "SHA256:y"},
		"krl: the cause": &RevocationListError{File: "krl", Err: cause},
		"(ORDER)":        &CommandError{Purpose: PurposeOrder, Err: cause},
		"cannot ask":     &AskError{Err: cause},
	} {
		if !errors.Is(err, ErrVerification) || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %q (ErrVerification %v), want %q in it", err, err, errors.Is(err, ErrVerification), want)
		}
		if strings.Contains(err.Error(), "the cause") && !errors.Is(err, cause) {
			t.Errorf("%T loses its cause", err)
		}
	}
}
