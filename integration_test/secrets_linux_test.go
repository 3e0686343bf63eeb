package integration_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest"
)

// secretParts returns the secret numbers of a private key, in the byte orders
// in which a program may hold them.
func secretParts(t *testing.T, key crypto.Signer) map[string][]byte {
	t.Helper()
	parts := make(map[string][]byte)
	number := func(name string, n *big.Int) {
		parts[name] = n.Bytes()
		little := slices.Clone(n.Bytes())
		slices.Reverse(little)
		parts[name+", little endian"] = little
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		parts["seed"] = k.Seed()
	case *ed25519.PrivateKey:
		parts["seed"] = k.Seed()
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		number("private value", new(big.Int).SetBytes(d))
	case *rsa.PrivateKey:
		number("private exponent", k.D)
		number("first prime", k.Primes[0])
		number("second prime", k.Primes[1])
	default:
		t.Fatalf("a key of type %T", key)
	}
	return parts
}

// inMemory returns which of the needles are in the memory of a process. It
// skips the test where that cannot be read.
func inMemory(t *testing.T, pid int, needles map[string][]byte) []string {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("SKIPPED: the system does not let this user read the memory of the program")
	} else if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || mode[0] != 'r' {
			continue
		}
		text := make([]byte, to-from)
		if _, err := mem.ReadAt(text, from); err != nil {
			continue // of the kernel, or not there: [vvar], guard pages
		}
		for name, needle := range needles {
			if n := bytes.Count(text, needle); n > 0 {
				found = append(found, fmt.Sprintf("%s %d times in %s", name, n, strings.TrimSpace(line)))
			}
		}
	}
	return found
}

// checkForgotten fails the test unless the memory of gossh lacks what must not
// be there and has what must.
func checkForgotten(t *testing.T, s *screen, needles map[string][]byte) {
	t.Helper()
	if found := inMemory(t, s.cmd.Process.Pid, map[string][]byte{"host name": []byte("sshtest")}); len(found) == 0 {
		t.Fatal("nothing is found in the memory of the program")
	}
	if found := inMemory(t, s.cmd.Process.Pid, needles); len(found) > 0 {
		t.Errorf("in memory after the login:\n%s", strings.Join(found, "\n"))
	}
}

// TestKeysAreForgotten: neither a private key nor its passphrase is in memory
// once the session has begun.
func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format, passphrase string
	}{
		"ed25519":         {ssh.KeyAlgoED25519, ""},
		"ed25519, locked": {ssh.KeyAlgoED25519, rand.Text()},
		"RSA":             {ssh.KeyAlgoRSA, ""},
		"RSA, locked":     {ssh.KeyAlgoRSA, rand.Text()},
		"ECDSA, locked":   {ssh.KeyAlgoECDSA256, rand.Text()[:9]}, // short strings share memory
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := sshtest.NewKey(c.format)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := ssh.NewSignerFromKey(key)
			if err != nil {
				t.Fatal(err)
			}
			block, err := ssh.MarshalPrivateKey(key, "")
			if c.passphrase != "" {
				block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(c.passphrase))
			}
			if err != nil {
				t.Fatal(err)
			}
			w, _ := withRestarts(t, sshtest.Options{Users: []sshtest.User{{Name: "test", Keys: []ssh.PublicKey{signer.PublicKey()}}}})
			file := w.write("id_secret", string(pem.EncodeToMemory(block)))
			s := w.onScreen(w.gossh("-i", file, "sshtest"))
			needles := secretParts(t, key)
			if c.passphrase != "" {
				needles["passphrase"] = []byte(c.passphrase)
				s.expect(`Enter passphrase for key '[^']*': `)
				s.untilModes("without echo", noEcho)
				s.send(c.passphrase + "\r")
			}
			s.expect(`session 1`)
			checkForgotten(t, s, needles)
			s.send("exit 0\r")
			s.wantEnd(0)
		})
	}
}

// TestPasswordsAreForgotten: nor is a password that was typed, for a connection
// that takes the place of another one either.
func TestPasswordsAreForgotten(t *testing.T) {
	t.Parallel()
	password := rand.Text()[:12]
	for name, user := range map[string]sshtest.User{
		"password":             {Name: "test", Password: password},
		"keyboard-interactive": {Name: "test", Rounds: []sshtest.Round{{Prompts: []sshtest.Prompt{{Text: "password: ", Answer: password}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := withRestarts(t, sshtest.Options{Users: []sshtest.User{user}})
			s := w.onScreen(w.gossh(append(slowly, "-o", "PubkeyAuthentication=no", "sshtest")...))
			s.resize(120, 24)
			login := func(session string) {
				t.Helper()
				s.expect(`password: `)
				s.untilModes("without echo", noEcho)
				s.send(password + "\r")
				s.expect(session)
				checkForgotten(t, s, map[string][]byte{"password": []byte(password)})
			}
			login(`session 1`)
			r.down()
			s.expect(lostLine)
			r.up(r.same)
			s.send("\r")
			login(`session 2`)
			s.send("exit 0\r")
			s.wantEnd(0)
		})
	}
}
