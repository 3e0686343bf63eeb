package sshkey

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// tool runs a program in a folder; the test is skipped where there is none.
func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOpenSSHCiphers reads what ssh-keygen writes with each cipher.
func TestOpenSSHCiphers(t *testing.T) {
	dir := t.TempDir()
	for _, c := range opensshCiphers() {
		if c.name == "none" || strings.HasPrefix(c.name, "rijndael") { // an alias, which ssh-keygen does not know
			continue
		}
		kinds := []string{"ed25519"}
		if c.name == "aes256-gcm@openssh.com" {
			kinds = append(kinds, "ecdsa", "rsa")
		}
		for _, kind := range kinds {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				name := c.name + kind
				args := []string{"-q", "-t", kind, "-N", "secret", "-a", "1", "-Z", c.name, "-C", "a comment", "-f", name}
				if kind == "rsa" {
					args = append(args, "-b", "1024")
				}
				tool(t, dir, "ssh-keygen", args...)
				file := read(t, dir, name)
				want, _, err := ParsePublic(read(t, dir, name+".pub"))
				if err != nil {
					t.Fatal(err)
				}
				key, pub := parse(t, file, "secret")
				wantSame(t, pub, want)
				if key.Comment != "a comment" {
					t.Errorf("comment %q", key.Comment)
				}
				shown, err := PublicHalf(file)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, shown, want)
				wantError(t, file, "wrong", ErrPassphrase)
				wantError(t, file, "", ErrPassphrase)
			})
		}
	}
}

// TestKeygenFormats reads the other formats of ssh-keygen.
func TestKeygenFormats(t *testing.T) {
	dir := t.TempDir()
	for _, format := range []string{"RFC4716", "PEM", "PKCS8"} {
		for _, kind := range []string{"ecdsa", "rsa"} {
			for _, secret := range []string{"", "secret"} {
				t.Run(format+" "+kind+" "+secret, func(t *testing.T) {
					name := format + kind + secret
					tool(t, dir, "ssh-keygen", "-q", "-t", kind, "-m", format, "-a", "1", "-N", secret, "-f", name)
					want, _, err := ParsePublic(read(t, dir, name+".pub"))
					if err != nil {
						t.Fatal(err)
					}
					file := read(t, dir, name)
					_, pub := parse(t, file, secret)
					wantSame(t, pub, want)
					if secret != "" {
						wantError(t, file, "wrong", ErrPassphrase)
					}
				})
			}
		}
	}
}

// TestPuTTY reads what puttygen writes.
func TestPuTTY(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(dir, "none"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, kind, params, encryption string }{
		{"2 rsa", "rsa", "version=2", "none"},
		{"2 rsa encrypted", "rsa", "version=2", "secret"},
		{"3 rsa", "rsa", "version=3", "none"},
		{"3 rsa encrypted", "rsa", "version=3,memory=64,passes=2", "secret"},
		{"2 ed25519 encrypted", "ed25519", "version=2", "secret"},
		{"3 ed25519 encrypted", "ed25519", "version=3,memory=64,passes=2,parallelism=3", "secret"},
		{"3 ecdsa encrypted", "ecdsa", "version=3,kdf=argon2i,memory=64,passes=2", "secret"},
		{"2 ecdsa", "ecdsa", "version=2", "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := strings.ReplaceAll(test.name, " ", "-")
			args := []string{"-q", "-t", test.kind, "--ppk-param", test.params, "-C", "a comment", "--new-passphrase", test.encryption, "-o", name}
			if test.kind == "rsa" {
				args = append(args, "-b", "1024")
			}
			tool(t, dir, "puttygen", args...)
			tool(t, dir, "puttygen", name, "-O", "public-openssh", "-o", name+".pub")
			file := read(t, dir, name)
			want, _, err := ParsePublic(read(t, dir, name+".pub"))
			if err != nil {
				t.Fatal(err)
			}
			secret := strings.TrimPrefix(test.encryption, "none")
			key, pub := parse(t, file, secret)
			wantSame(t, pub, want)
			if key.Comment != "a comment" {
				t.Errorf("comment %q", key.Comment)
			}
			if shown, err := PublicHalf(file); err != nil {
				t.Error(err)
			} else {
				wantSame(t, shown, want)
			}
			crlf := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
			_, pub = parse(t, crlf, secret)
			wantSame(t, pub, want)
			if secret != "" {
				wantError(t, file, "wrong", ErrPassphrase)
				wantError(t, file, "", ErrPassphrase)
			}
			wantError(t, bytes.Replace(file, []byte("a comment"), []byte("A comment"), 1), secret, map[bool]error{true: ErrFormat, false: ErrPassphrase}[secret == ""])
		})
	}
}

// openssl runs it in a folder.
func openssl(t *testing.T, dir, command string) {
	t.Helper()
	tool(t, dir, "openssl", strings.Fields(command)...)
}

// TestOpenSSL reads what OpenSSL writes.
func TestOpenSSL(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "genrsa -traditional -out rsa 2048")
	openssl(t, dir, "ecparam -name prime256v1 -genkey -noout -out ec")
	openssl(t, dir, "genpkey -algorithm ED25519 -out ed")
	public := make(map[string]ssh.PublicKey)
	for _, name := range []string{"rsa", "ec", "ed"} {
		_, public[name] = parse(t, read(t, dir, name), "")
	}
	for _, test := range []struct{ name, from, command string }{
		{"PBKDF2 of SHA-1", "rsa", "pkcs8 -topk8 -v2prf hmacWithSHA1 -passout pass:secret"},
		{"PBKDF2 of SHA-224", "rsa", "pkcs8 -topk8 -v2prf hmacWithSHA224 -passout pass:secret"},
		{"PBKDF2 of SHA-256", "rsa", "pkcs8 -topk8 -v2prf hmacWithSHA256 -passout pass:secret"},
		{"PBKDF2 of SHA-384", "rsa", "pkcs8 -topk8 -v2prf hmacWithSHA384 -passout pass:secret"},
		{"PBKDF2 of SHA-512", "rsa", "pkcs8 -topk8 -v2prf hmacWithSHA512 -passout pass:secret"},
		{"PBKDF2 of MD5", "rsa", "pkcs8 -topk8 -v2prf hmacWithMD5 -passout pass:secret"},
		{"PBES2 of AES-128", "ec", "pkcs8 -topk8 -v2 aes128 -passout pass:secret"},
		{"PBES2 of AES-192", "ec", "pkcs8 -topk8 -v2 aes192 -passout pass:secret"},
		{"PBES2 of triple DES", "ed", "pkcs8 -topk8 -v2 des3 -passout pass:secret"},
		{"scrypt", "ed", "pkcs8 -topk8 -scrypt -scrypt_N 1024 -scrypt_r 4 -scrypt_p 3 -passout pass:secret"},
		{"PBES1 of triple DES", "rsa", "pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:secret"},
		{"PBES1 of double DES", "ec", "pkcs8 -topk8 -v1 PBE-SHA1-2DES -passout pass:secret"},
		{"PBES1 with letters", "ec", "pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:gehe\u00fcim\u4e2d"},
		{"PEM of triple DES", "rsa", "rsa -traditional -des3 -passout pass:secret"},
		{"PEM of AES-128", "rsa", "rsa -traditional -aes128 -passout pass:secret"},
		{"PEM of AES-192", "ec", "ec -aes192 -passout pass:secret"},
		{"PEM of AES-256", "ec", "ec -aes256 -passout pass:secret"},
		{"PEM of AES in CFB", "rsa", "rsa -traditional -aes-256-cfb -passout pass:secret"},
		{"PEM of AES in OFB", "ec", "ec -aes-128-ofb -passout pass:secret"},
		{"PEM of AES in CTR", "rsa", "rsa -traditional -aes-192-ctr -passout pass:secret"},
		{"PEM of double DES", "rsa", "rsa -traditional -des-ede-cbc -passout pass:secret"},
		{"PEM of triple DES in CFB", "rsa", "rsa -traditional -des-ede3-cfb -passout pass:secret"},
		{"PBES2 of AES in CFB", "rsa", "pkcs8 -topk8 -v2 aes-256-cfb -passout pass:secret"},
		{"PBES2 of AES in OFB", "ec", "pkcs8 -topk8 -v2 aes-128-ofb -passout pass:secret"},
		{"PKCS#8 of RSA", "rsa", "pkcs8 -topk8 -nocrypt"},
		{"PKCS#8 of EC", "ec", "pkcs8 -topk8 -nocrypt"},
		{"explicit parameters", "ec", "ec -param_enc explicit"},
		{"explicit parameters, compressed", "ec", "ec -param_enc explicit -conv_form compressed"},
		{"no public key", "ec", "ec -no_public"},
		{"explicit parameters in PKCS#8", "ec", "pkey -ec_param_enc explicit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			openssl(t, dir, test.command+" -in "+test.from+" -out out")
			_, secret, encrypted := strings.Cut(test.command, "pass:")
			file := read(t, dir, "out")
			_, pub := parse(t, file, secret)
			wantSame(t, pub, public[test.from])
			if encrypted {
				wantError(t, file, "wrong", ErrPassphrase)
				wantError(t, file, "", ErrPassphrase)
			}
		})
	}
	for name, command := range map[string]string{
		"three primes":     "genrsa -traditional -primes 3 2048",
		"exponent 3":       "genrsa -3 2048",
		"an odd size":      "genrsa 2047",
		"a large exponent": "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:2147483647",
	} {
		t.Run(name, func(t *testing.T) {
			fields := strings.Fields(command)
			tool(t, dir, "openssl", append([]string{fields[0], "-out", "out"}, fields[1:]...)...)
			parse(t, read(t, dir, "out"), "")
		})
	}
	for _, test := range []struct {
		name, command string
		want          error
	}{
		{"another curve", "ecparam -name secp256k1 -genkey -noout -out out", ErrFormat},
		{"another curve, explicit", "ecparam -name brainpoolP256r1 -param_enc explicit -genkey -noout -out out", ErrFormat},
		{"RSA-PSS", "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -out out", ErrFormat},
		{"Ed448", "genpkey -algorithm ED448 -out out", ErrFormat},
		{"X25519", "genpkey -algorithm X25519 -out out", ErrFormat},
		{"a small RSA key", "genrsa -out out 768", ErrLength},
		{"Camellia", "pkcs8 -topk8 -v2 camellia256 -passout pass:secret -in rsa -out out", ErrCipher},
		{"PEM of Camellia", "rsa -traditional -camellia256 -passout pass:secret -in rsa -out out", ErrCipher},
		{"a public key", "rsa -pubout -in rsa -out out", ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			openssl(t, dir, test.command)
			asked := 0
			if _, err := ParsePrivate(t.Context(), read(t, dir, "out"), passphrase("secret", &asked)); !errors.Is(err, test.want) || asked > 0 {
				t.Errorf("%v after %d questions, want %v", err, asked, test.want)
			}
		})
	}
}
