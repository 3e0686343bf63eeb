package keyhelper

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// testSecurityKey is a key that no token has.
func testSecurityKey(t *testing.T) *SecurityKey {
	t.Helper()
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	blob := wire.AppendString(nil, ssh.KeyAlgoSKED25519)
	blob = wire.AppendString(wire.AppendString(blob, pub), "ssh:")
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return &SecurityKey{Public: key, Flags: FlagUserPresence, KeyHandle: []byte("handle")}
}

// short are times for helpers that do not answer.
var short = Options{touch: 50 * time.Millisecond, answer: 50 * time.Millisecond}

// TestRequestToSign holds the request to the fields that ssh-sk-helper reads.
func TestRequestToSign(t *testing.T) {
	key := testSecurityKey(t)
	got := skRequest("internal", key, []byte("data"), []byte("1234"), &Options{})
	r := wire.NewReader(got)
	if v, kind, stderr, level := r.Byte(), r.Uint32(), r.Byte(), r.Uint32(); v != 5 || kind != 1 || stderr != 1 || level != 2 {
		t.Errorf("version %d, type %d, log to stderr %d at %d", v, kind, stderr, level)
	}
	private := wire.NewReader(r.Bytes())
	if kind := string(private.Bytes()); kind != ssh.KeyAlgoSKED25519 {
		t.Errorf("type %s", kind)
	}
	private.Bytes() // the point
	if app, flags, handle, reserved := string(private.Bytes()), private.Byte(), string(private.Bytes()), string(private.Bytes()); app != "ssh:" || flags != 1 || handle != "handle" || reserved != "" {
		t.Errorf("application %q, flags %#x, handle %q, reserved %q", app, flags, handle, reserved)
	}
	if err := private.End(); err != nil {
		t.Error(err)
	}
	if provider, data, algo, compat, pin := string(r.Bytes()), string(r.Bytes()), string(r.Bytes()), r.Uint32(), string(r.Bytes()); provider != "internal" || data != "data" || algo != "" || compat != 0 || pin != "1234" {
		t.Errorf("provider %q, data %q, algorithm %q, compat %d, PIN %q", provider, data, algo, compat, pin)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
}

func TestSecurityKeyPIN(t *testing.T) {
	useFake(t, "sk:pin=1234")
	key := testSecurityKey(t)
	for _, pin := range []string{"", "4321"} {
		if _, err := SignSecurityKey(t.Context(), "internal", key, []byte("data"), []byte(pin), Options{}); !errors.Is(err, ErrSKPIN) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	sig, err := SignSecurityKey(t.Context(), "internal", key, []byte("data"), []byte("1234"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sig.Format != ssh.KeyAlgoSKED25519 || string(sig.Blob) != "data" || !bytes.Equal(sig.Rest, []byte{5, 0, 0, 0, 9}) {
		t.Errorf("got %+v", sig)
	}
}

// hostile are helpers that give no good answer, and the error.
var hostile = []struct {
	name, mode string
	want       error
}{
	{"dies", "dies", ErrEnded},
	{"dies after the request", "dies-late", ErrEnded},
	{"hangs", "hangs", ErrTimeout},
	{"reads nothing", "deaf", ErrTimeout},
	{"chatters", "chatters", ErrEnded},
	{"no answer", "answers=", ErrEnded},
	{"half a length", "answers=0000", ErrEnded},
	{"length 0", "answers=00000000", ErrProtocol},
	{"too long", "answers=7fffffff05", ErrProtocol},
	{"promises more", "answers=0003000005", ErrEnded},
	{"another version", "answers=0000000904000000010000000000", ErrProtocol},
	{"another type", "answers=000000050500000003", ErrProtocol},
	{"text", "answers=" + hex.EncodeToString([]byte("usage: helper [-v]\n")), ErrProtocol},
}

func TestSecurityKeyHelperIsHostile(t *testing.T) {
	key := testSecurityKey(t)
	data := make([]byte, 128<<10) // more than a pipe holds
	for _, c := range append(hostile, []struct {
		name, mode string
		want       error
	}{
		{"error too short", "answers=000000070500000000002b", ErrProtocol},
		{"signature missing", "answers=000000050500000001", ErrProtocol},
		{"signature cut", "answers=00000009050000000100000010", ErrProtocol},
		{"signature empty", "answers=00000009050000000100000000", ErrProtocol},
		{"signature of another type", "answers=0000001905000000010000001000000007" + hex.EncodeToString([]byte("ssh-rsa\x00\x00\x00\x01x")), ErrProtocol},
		{"an error", "answers=0000000905000000000000003c", ErrSKDeviceNotFound},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			useFake(t, c.mode)
			log := newTestLog(t)
			o := Options{Log: log.add, touch: time.Minute}
			if errors.Is(c.want, ErrTimeout) {
				o.touch = short.touch
			}
			_, err := SignSecurityKey(t.Context(), "internal", key, data, nil, o)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if lines := log.lines(); len(lines) > maxLines || c.mode == "dies-late" && (len(lines) != 1 || lines[0] != "the reason") {
				t.Errorf("%d lines: %q", len(lines), lines[:1])
			}
		})
	}
}

func TestTokenHelperIsHostile(t *testing.T) {
	for _, c := range append(hostile, []struct {
		name, mode string
		want       error
	}{
		{"too many keys", "answers=000000050cffffffff", ErrProtocol},
		{"a key is cut", "answers=0000000d0c0000000100000009abcdef01", ErrProtocol},
		{"bytes behind", "answers=000000060c0000000000", ErrProtocol},
		{"no keys", "answers=000000050c00000000", ErrNoKeys},
		{"failure", "answers=000000050500000001", ErrNoKeys},
	}...) {
		if c.name == "another version" || c.name == "another type" {
			continue // these are of the other helper
		}
		t.Run(c.name, func(t *testing.T) {
			useFake(t, c.mode)
			o := Options{answer: time.Minute}
			if errors.Is(c.want, ErrTimeout) {
				o.answer = short.answer
			}
			token, err := OpenToken(t.Context(), "fake", nil, o)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if token != nil {
				token.Close()
			}
		})
	}
}

func TestContextEndsHelper(t *testing.T) {
	useFake(t, "hangs")
	errMine := errors.New("mine")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errMine) })
	if _, err := SignSecurityKey(ctx, "internal", testSecurityKey(t), nil, nil, Options{}); !errors.Is(err, errMine) {
		t.Errorf("security key: %v", err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errMine) })
	if _, err := OpenToken(ctx, "fake", nil, Options{}); !errors.Is(err, errMine) {
		t.Errorf("token: %v", err)
	}
}

func TestMissingHelper(t *testing.T) {
	t.Setenv("SSH_SK_HELPER", filepath.Join(t.TempDir(), "none"))
	t.Setenv("SSH_PKCS11_HELPER", "no-such-helper-anywhere")
	_, skErr := SignSecurityKey(t.Context(), "internal", testSecurityKey(t), nil, nil, Options{})
	_, tokenErr := OpenToken(t.Context(), "fake", nil, Options{})
	for _, err := range []error{skErr, tokenErr} {
		var program *ProgramError
		if !errors.As(err, &program) || !program.Missing() {
			t.Errorf("got %v", err)
		}
	}
}

// TestTokenDialects signs by helpers of both dialects.
func TestTokenDialects(t *testing.T) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	file := filepath.Join(t.TempDir(), "keys")
	var text []byte
	for _, key := range []crypto.PrivateKey{rsaKey, p256, p521, ed} {
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(block)...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	data := []byte(strings.Repeat("signed ", 30))
	for _, mode := range []string{"modern", "classic"} {
		useFake(t, mode+"="+file)
		token, err := OpenToken(t.Context(), "fake", nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer token.Close()
		if len(token.Keys()) != 4 {
			t.Fatalf("%s: %d keys", mode, len(token.Keys()))
		}
		for _, key := range token.Keys() {
			algos := []string{key.Public.Type()}
			if algos[0] == ssh.KeyAlgoRSA {
				algos = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
			}
			for _, algo := range algos {
				sig, err := token.Sign(t.Context(), key.Public, data, algo)
				if mode == "classic" && algo == ssh.KeyAlgoED25519 {
					if !errors.Is(err, errAlgorithm) {
						t.Errorf("classic %s: %v", algo, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s %s: %v", mode, algo, err)
					continue
				}
				if err := key.Public.Verify(data, sig); err != nil {
					t.Errorf("%s %s: %v", mode, algo, err)
				}
			}
		}
		other, _ := ssh.NewSignerFromKey(func() crypto.Signer { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k }())
		if _, err := token.Sign(t.Context(), other.PublicKey(), data, ssh.KeyAlgoECDSA256); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: another's key: %v", mode, err)
		}
	}
}

func TestTokenLabels(t *testing.T) {
	lines := []string{
		"debug1: process_add",
		"debug1: provider /lib/p.so: manufacturerID <SoftHSM> cryptokiVersion 2.40 libraryDescription <x> libraryVersion 2.6",
		"debug1: provider /lib/p.so slot 0: label <my card> manufacturerID <SoftHSM project> model <SoftHSM v2> serial <77> flags 0x42d",
		"pin required",
		"debug1: provider /lib/p.so slot 1: label <open> manufacturerID <SoftHSM project> model <SoftHSM v2> serial <78> flags 0x409",
		"provider /lib/p.so slot 2: label <forged> manufacturerID <",
	}
	if got := tokenLabels(lines); len(got) != 1 || got[0] != "my card" {
		t.Errorf("got %q", got)
	}
	if !wantPIN(lines) || wantPIN(lines[:3]) {
		t.Error("the need for a PIN was not seen")
	}
	if code, failed := loginFailure([]string{"C_Login failed: 160"}); !failed || code != PINIncorrect {
		t.Errorf("login: %d %v", code, failed)
	}
}
