package hostkey

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// krlKeys writes keys where ssh-keygen can read them.
func saveKey(t testing.TB, dir, name string, key ssh.PublicKey) string {
	t.Helper()
	file := filepath.Join(dir, name+".pub")
	if err := os.WriteFile(file, []byte(keyText(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestKRLAgainstSSHKeygen has ssh-keygen make KRLs, and asks both it and us
// about every key.
func TestKRLAgainstSSHKeygen(t *testing.T) {
	tool(t, "ssh-keygen")
	dir := t.TempDir()
	k := newKeys(t)
	ca, otherCA := newSigner(t, "ed25519"), newSigner(t, "ecdsa")
	caFile := saveKey(t, dir, "ca", ca.PublicKey())
	subjects := map[string]ssh.PublicKey{"ed": k.ed, "ed2": k.ed2, "rsa": k.rsa, "ecdsa": k.ecdsa, "ca": ca.PublicKey()}
	for _, serial := range []uint64{0, 1, 2, 99, 100, 150, 200, 201, 1 << 40, 1<<40 + 8, 1<<64 - 1} {
		for name, by := range map[string]ssh.Signer{"ca": ca, "other": otherCA} {
			subjects[fmt.Sprintf("%s-%d", name, serial)] = certify(t, k.ed3, by, func(c *ssh.Certificate) {
				c.Serial, c.KeyId = serial, fmt.Sprintf("id %d", serial)
			}, "a")
		}
	}
	files := make(map[string]string)
	for name, key := range subjects {
		files[name] = saveKey(t, dir, name, key)
	}
	var bitmap strings.Builder
	for i := range 300 {
		if i%7 != 0 {
			fmt.Fprintf(&bitmap, "serial: %d\n", 1<<40+i)
		}
	}
	for name, spec := range map[string]string{
		"empty":      "",
		"key":        "key: " + keyText(k.ed) + "\nkey: " + keyText(k.rsa),
		"sha1":       "sha1: " + keyText(k.ed),
		"sha256":     "sha256: " + keyText(k.ecdsa),
		"hash":       "hash: " + Fingerprint(k.ed2),
		"ca key":     "key: " + keyText(ca.PublicKey()),
		"serial":     "serial: 1\nserial: 99\nserial: 18446744073709551615",
		"range":      "serial: 100-200",
		"bitmap":     bitmap.String(),
		"wide":       "serial: 1-18446744073709551614",
		"id":         "id: id 0\nid: id 201",
		"everything": "serial: 1\nserial: 100-150\nid: id 2\nsha256: " + keyText(k.ed) + "\nkey: " + keyText(k.ed2) + "\n" + bitmap.String(),
	} {
		t.Run(name, func(t *testing.T) {
			specFile, krlFile := filepath.Join(dir, "spec"), filepath.Join(dir, "krl")
			if err := os.WriteFile(specFile, []byte(spec+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			mustRun(t, "ssh-keygen", "-q", "-k", "-f", krlFile, "-s", caFile, specFile)
			data, err := os.ReadFile(krlFile)
			if err != nil {
				t.Fatal(err)
			}
			list, err := parseKRL(data)
			if err != nil {
				t.Fatal(err)
			}
			revoked := 0
			for subject, key := range subjects {
				out, _ := run(t, "ssh-keygen", "-Q", "-f", krlFile, files[subject])
				want := strings.HasSuffix(strings.TrimSpace(out), "REVOKED")
				if !want && !strings.HasSuffix(strings.TrimSpace(out), "ok") {
					t.Fatalf("ssh-keygen -Q: %s", out)
				}
				if got := list.revokes(key); got != want {
					t.Errorf("%s is revoked: %v, ssh-keygen says %v", subject, got, want)
				}
				if want {
					revoked++
				}
			}
			if (revoked == 0) != (name == "empty") {
				t.Errorf("%d keys are revoked; the comparison shows nothing", revoked)
			}
			truncated(t, name, data)
		})
	}
}

// truncated wants every shorter KRL to be an error or to revoke less, but
// never to crash; cut inside a section it must be an error.
func truncated(t *testing.T, name string, data []byte) {
	t.Helper()
	ok := 0
	for n := range data {
		if _, err := parseKRL(data[:n]); err == nil {
			ok++
		} else if !errors.Is(err, errKRL) {
			t.Fatalf("%s cut at %d: %v", name, n, err)
		}
	}
	// A KRL is whole wherever a section ends, there is no length in front.
	if ok > 8 {
		t.Errorf("%s: %d of %d truncations were taken for whole", name, ok, len(data))
	}
}

// krlText puts a KRL together by hand.
func krlText(sections ...[]byte) []byte {
	out := []byte(krlMagic)
	out = binary.BigEndian.AppendUint32(out, 1)
	for range 3 {
		out = binary.BigEndian.AppendUint64(out, 0)
	}
	out = wire.AppendString(out, "")
	out = wire.AppendString(out, []byte("comment"))
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

func section(kind byte, body []byte) []byte { return wire.AppendString([]byte{kind}, body) }

func certSection(ca []byte, sections ...[]byte) []byte {
	body := wire.AppendString(wire.AppendString(nil, ca), "")
	for _, s := range sections {
		body = append(body, s...)
	}
	return section(krlCertificates, body)
}

func u64(v ...uint64) []byte {
	var out []byte
	for _, v := range v {
		out = binary.BigEndian.AppendUint64(out, v)
	}
	return out
}

func TestKRLByHand(t *testing.T) {
	ca := newSigner(t, "ed25519")
	key := newKey(t, "ed25519")
	cert := certify(t, key, ca, nil, "a") // serial 7, key ID "id"
	blob := key.Marshal()
	extension := func(critical byte) []byte {
		return wire.AppendString(append(wire.AppendString(nil, []byte("x@y")), critical), []byte("data"))
	}
	bits := func(offset uint64, b ...byte) []byte { return wire.AppendString(u64(offset), b) }
	for _, tt := range []struct {
		name    string
		data    []byte
		revoked bool
		ok      bool
	}{
		{"no sections", krlText(), false, true},
		{"all CAs by ID", krlText(certSection(nil, section(krlCertKeyID, wire.AppendString(nil, []byte("id"))))), true, true},
		{"all CAs by serial", krlText(certSection(nil, section(krlCertSerialList, u64(7)))), true, true},
		{"another CA", krlText(certSection(blob, section(krlCertSerialList, u64(7)))), false, true},
		{"bitmap, first bit", krlText(certSection(nil, section(krlCertSerialBitmap, bits(7, 1)))), true, true},
		{"bitmap, last bit", krlText(certSection(nil, section(krlCertSerialBitmap, bits(0, 0, 0x80)))), true, true},
		{"bitmap, second byte", krlText(certSection(nil, section(krlCertSerialBitmap, bits(7, 1, 0)))), false, true},
		{"bitmap at the very end", krlText(certSection(nil, section(krlCertSerialBitmap, bits(1<<64-1, 1)))), false, true},
		{"bitmap wraps", krlText(certSection(nil, section(krlCertSerialBitmap, bits(1<<64-1, 2)))), false, false},
		{"empty bitmap", krlText(certSection(nil, section(krlCertSerialBitmap, bits(0)))), false, true},
		{"range upside down", krlText(certSection(nil, section(krlCertSerialRange, u64(8, 6)))), false, false},
		{"half a serial", krlText(certSection(nil, section(krlCertSerialList, u64(7)[:4]))), false, false},
		{"trailing bytes in a range", krlText(certSection(nil, section(krlCertSerialRange, u64(1, 2, 3)))), false, false},
		{"unknown certificate section", krlText(certSection(nil, section(0x24, nil))), false, false},
		{"unknown section", krlText(section(9, nil)), false, false},
		{"extension", krlText(section(krlExtension, extension(0)), section(krlExplicitKey, wire.AppendString(nil, blob))), true, true},
		{"critical extension", krlText(section(krlExtension, extension(1))), false, false},
		{"certificate extension", krlText(certSection(nil, section(krlCertExtension, extension(0)))), false, true},
		{"critical certificate extension", krlText(certSection(nil, section(krlCertExtension, extension(1)))), false, false},
		{"signature is stepped over", krlText(section(krlExplicitKey, wire.AppendString(nil, blob)), section(krlSignature, blob), wire.AppendString(nil, []byte("signature"))), true, true},
		{"short fingerprint", krlText(section(krlFingerprintSHA1, wire.AppendString(nil, make([]byte, 19)))), false, false},
		{"long fingerprint", krlText(section(krlFingerprintSHA256, wire.AppendString(nil, make([]byte, 33)))), false, false},
		{"length beyond the end", append(krlText(), krlExplicitKey, 0xff, 0xff, 0xff, 0xff), false, false},
		{"format version", append([]byte(krlMagic), 0, 0, 0, 2), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := parseKRL(tt.data)
			if (err == nil) != tt.ok {
				t.Fatalf("error = %v, want ok %v", err, tt.ok)
			}
			if err == nil && k.revokes(cert) != tt.revoked {
				t.Errorf("revoked = %v, want %v", !tt.revoked, tt.revoked)
			}
		})
	}
}

func TestRevokedHostKeys(t *testing.T) {
	k := newKeys(t)
	ca := newSigner(t, "ed25519")
	cert := certify(t, k.ed, ca, nil, "a")
	known := write(t, entryLine("a", k.ed)+"@cert-authority a "+keyText(ca.PublicKey())+"\n")
	for _, tt := range []struct {
		name, text string
		key        ssh.PublicKey
		want       string
	}{
		{"empty", "", k.ed, "known"},
		{"comments", "# x\n\n \t\n\r\n", k.ed, "known"},
		{"listed", "# x\n" + keyText(k.rsa) + " comment\n  " + keyText(k.ed), k.ed, "revoked"},
		{"another", keyText(k.rsa) + "\n", k.ed, "known"},
		{"certificate's key", keyText(k.ed) + "\r\n", cert, "revoked"},
		{"certificate", keyText(cert) + "\n", cert, "revoked"},
		{"key by its certificate", keyText(cert) + "\n", k.ed, "revoked"},
		{"CA", keyText(ca.PublicKey()), cert, "revoked"},
		{"KRL", string(krlText(section(krlExplicitKey, wire.AppendString(nil, k.ed.Marshal())))), k.ed, "revoked"},
		{"KRL of another", string(krlText(section(krlExplicitKey, wire.AppendString(nil, k.rsa.Marshal())))), cert, "known"},
		{"bad KRL", string(krlText([]byte{1})), k.ed, "list"},
		{"bad line", keyText(k.rsa) + "\nnonsense\n", k.ed, "list"},
		{"fingerprint", Fingerprint(k.rsa) + "\n", k.ed, "list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := checker(Options{UserFiles: []string{known}, RevokedHostKeys: []string{write(t, "# none\n"), write(t, tt.text)}, Strict: StrictNo})
			v, err := c.Check(t.Context(), Target{Host: "a"}, tt.key)
			got := outcome(v, err)
			var list *RevocationListError
			if errors.As(err, &list) && errors.Is(err, ErrVerification) {
				got = "list"
			}
			if got != tt.want {
				t.Errorf("outcome %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	c, _ := checker(Options{UserFiles: []string{known}, RevokedHostKeys: []string{write(t, "# none\n"), filepath.Join(t.TempDir(), "missing")}})
	if _, err := c.Check(t.Context(), Target{Host: "a"}, k.ed); !errors.Is(err, os.ErrNotExist) || !errors.Is(err, ErrVerification) {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzKRL(f *testing.F) {
	key := newKey(f, "ed25519")
	f.Add(krlText(certSection(nil, section(krlCertSerialBitmap, wire.AppendString(u64(7), []byte{1}))),
		section(krlExplicitKey, wire.AppendString(nil, key.Marshal()))))
	f.Add(krlText(section(krlSignature, key.Marshal()), wire.AppendString(nil, []byte("x"))))
	cert := certify(f, key, newSigner(f, "ed25519"), nil, "a")
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := parseKRL(data); err == nil {
			k.revokes(cert)
		}
	})
}
