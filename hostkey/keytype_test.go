package hostkey

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// TestFingerprintAgainstSSHKeygen compares fingerprints, types, sizes and
// pictures for every kind of key that ssh-keygen makes without a token.
func TestFingerprintAgainstSSHKeygen(t *testing.T) {
	tool(t, "ssh-keygen")
	dir := t.TempDir()
	ca := newSigner(t, "ed25519")
	subjects := map[string]ssh.PublicKey{}
	for _, kind := range []string{"ed25519", "ecdsa", "ecdsa521", "rsa"} {
		key := newKey(t, kind)
		subjects[kind] = key
		subjects[kind+"-cert"] = certify(t, key, ca, nil, "a")
	}
	for i := range 8 { // the bishop walks a different way for each
		subjects["ed25519-"+strconv.Itoa(i)] = newKey(t, "ed25519")
	}
	// A key on a token cannot be made here, but its public half can.
	sk := wire.AppendString(wire.AppendString(wire.AppendString(nil, []byte(ssh.KeyAlgoSKED25519)), bytes.Repeat([]byte{7}, 32)), []byte("ssh:"))
	key, err := ssh.ParsePublicKey(sk)
	if err != nil {
		t.Fatal(err)
	}
	subjects["sk"] = key
	for name, key := range subjects {
		file := saveKey(t, dir, name, key)
		out := mustRun(t, "ssh-keygen", "-l", "-v", "-f", file)
		first, art, _ := strings.Cut(out, "\n")
		// "256 SHA256:… no comment (ED25519)"
		want := first[:strings.Index(first, " no comment")] + " " + first[strings.LastIndex(first, "("):]
		if got := strconv.Itoa(keySize(sshkey.Plain(key))) + " " + Fingerprint(key) + " (" + KeyType(key) + ")"; got != want {
			t.Errorf("%s: %q, ssh-keygen says %q", name, got, want)
		}
		if got := RandomArt(key) + "\n"; got != art {
			t.Errorf("%s: %s", name, shortDiff(got, art))
		}
		out = mustRun(t, "ssh-keygen", "-l", "-E", "md5", "-f", file)
		if got := FingerprintMD5(key); got != strings.Fields(out)[1] {
			t.Errorf("%s: %q, ssh-keygen says %q", name, got, out)
		}
	}
}

func TestSSHFPAgainstSSHKeygen(t *testing.T) {
	tool(t, "ssh-keygen")
	dir := t.TempDir()
	for _, kind := range []string{"ed25519", "ecdsa", "ecdsa521", "rsa"} {
		key := newKey(t, kind)
		out := mustRun(t, "ssh-keygen", "-r", "a", "-f", saveKey(t, dir, kind, key))
		var records []SSHFP
		for text := range strings.Lines(out) { // "a IN SSHFP 4 2 hex"
			f := strings.Fields(text)
			algorithm, _ := strconv.Atoi(f[3])
			digest, _ := strconv.Atoi(f[4])
			sum, err := hex.DecodeString(f[5])
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, SSHFP{uint8(algorithm), uint8(digest), sum})
		}
		if len(records) != 2 {
			t.Fatalf("%s: %q", kind, out)
		}
		if found, matching := MatchSSHFP(records, key); !found || !matching {
			t.Errorf("%s: %v %v", kind, found, matching)
		}
		other := newKey(t, "ecdsa")
		if found, matching := MatchSSHFP(records, other); !found || matching {
			t.Errorf("%s: another key: %v %v", kind, found, matching)
		}
		wrong := SSHFP{records[0].Algorithm, 2, make([]byte, 32)}
		if _, matching := MatchSSHFP(append(records, wrong), key); matching {
			t.Errorf("%s: matches although one record does not", kind)
		}
		future := SSHFP{records[0].Algorithm, 9, make([]byte, 64)}
		if _, matching := MatchSSHFP(append(records, future), key); !matching {
			t.Errorf("%s: an unknown digest must not count", kind)
		}
	}
	if found, matching := MatchSSHFP(nil, newKey(t, "rsa")); found || matching {
		t.Error("something was found in nothing")
	}
}

func TestAlgorithmNames(t *testing.T) {
	for name, want := range map[string]string{
		ssh.CertAlgoED25519v01: ssh.KeyAlgoED25519, ssh.CertAlgoRSASHA512v01: ssh.KeyAlgoRSA,
		ssh.CertAlgoSKED25519v01: ssh.KeyAlgoSKED25519, ssh.CertAlgoSKECDSA256v01: ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoRSASHA256: ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA521: ssh.KeyAlgoECDSA521, "x": "x", "": "",
	} {
		if got := plainFormat(name); got != want {
			t.Errorf("plainFormat(%s) = %s, want %s", name, got, want)
		}
	}
}

func TestRandomArtShape(t *testing.T) {
	art := strings.Split(RandomArt(newKey(t, "ed25519")), "\n")
	if len(art) != 11 {
		t.Fatalf("%d lines", len(art))
	}
	for _, l := range art {
		if len(l) != 19 {
			t.Errorf("%q", l)
		}
	}
}
