//go:build linux

package integration_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/opensshd"
)

// keyMaker makes key files and lets their public halves in.
type keyMaker struct {
	*world
	files *atomic.Int32 // how many have a name
}

// next returns the path of a new file.
func (k *keyMaker) next() string { return k.path(fmt.Sprint("key", k.files.Add(1))) }

func (k *keyMaker) at(t *testing.T) *keyMaker { return &keyMaker{k.world.at(t), k.files} }

// generate runs ssh-keygen and returns the path of the private key. It
// authorizes the public key and then removes its file, so that the private key
// is all that the program has.
func (k *keyMaker) generate(args ...string) string {
	k.t.Helper()
	path := k.keygen(filepath.Base(k.next()), args...)
	k.authorize(k.read(filepath.Base(path) + ".pub"))
	os.Remove(path + ".pub")
	return path
}

// openssl runs the program with path as its -out and returns path.
func (k *keyMaker) openssl(command string, in ...string) string {
	k.t.Helper()
	need(k.t, "openssl")
	path := k.next()
	fields := strings.Fields(command)
	args := append([]string{fields[0], "-out", path}, fields[1:]...)
	if len(in) > 0 {
		args = append(args, "-in", in[0])
	}
	if o := k.run(k.tool("openssl", args...)); o.status != 0 {
		k.t.Fatalf("openssl %s: %v", command, o)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// authorizePEM authorizes the key of a file that ssh-keygen may not know.
func (k *keyMaker) authorizePEM(path string) {
	k.t.Helper()
	o := k.run(k.tool("openssl", "pkey", "-in", path, "-pubout"))
	block, _ := pem.Decode([]byte(o.stdout))
	if block == nil {
		k.t.Fatalf("openssl pkey: %v", o)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		k.t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key)
	if err != nil {
		k.t.Fatal(err)
	}
	k.authorize(string(ssh.MarshalAuthorizedKey(public)))
}

// puttygen converts a key of ssh-keygen and returns the path.
func (k *keyMaker) puttygen(from, params string) string {
	k.t.Helper()
	need(k.t, "puttygen")
	path := k.next() + ".ppk"
	o := k.run(k.tool("puttygen", "-q", from, "-O", "private", "--ppk-param", params, "--new-passphrase", k.path("passphrase"), "-o", path))
	if o.status != 0 {
		k.t.Fatalf("puttygen: %v", o)
	}
	return path
}

// edited writes a copy of a file with its text changed.
func (k *keyMaker) edited(from string, edit func(string) string) string {
	k.t.Helper()
	return k.write(filepath.Base(k.next()), edit(k.read(filepath.Base(from))))
}

// fifo returns a named pipe that gives the text of a file to each reader.
func (k *keyMaker) fifo(from string) string {
	k.t.Helper()
	path, text := k.next(), []byte(k.read(filepath.Base(from)))
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		k.t.Fatal(err)
	}
	var over atomic.Bool
	done := make(chan struct{})
	go func() { // ends once over is set and the pipe is opened
		defer close(done)
		for {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				k.t.Error(err)
				return
			}
			// The next reader gets a pipe of its own, or this one might read the
			// text twice.
			err = syscall.Mkfifo(path+".next", 0o600)
			if err == nil {
				err = os.Rename(path+".next", path)
			}
			if err != nil {
				k.t.Error(err)
			}
			if over.Load() || err != nil {
				f.Close()
				return
			}
			f.Write(text) // a reader may go away
			f.Close()
		}
	}()
	k.t.Cleanup(func() {
		over.Store(true)
		if f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			defer f.Close()
		}
		<-done
	})
	return path
}

// withKeyFiles returns a world that logs in with key files alone. An askpass
// program gives the passphrases and records the questions.
func withKeyFiles(t *testing.T) *keyMaker {
	t.Helper()
	k := &keyMaker{withSSHD(t, opensshd.Options{}), new(atomic.Int32)}
	k.write("passphrase", "secret\n")
	askpass := k.script("askpass", `echo "$1" >>`+k.path("asked")+`; cat `+k.path("passphrase"))
	k.setenv("SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	k.pre = []string{"-F", k.anyKey(), "-o", "BatchMode=no", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "PreferredAuthentications=publickey"}
	return k
}

// TestKeyFiles logs in with private keys in the formats that people have them
// in, as ssh does where it can read them too.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	k := withKeyFiles(t)
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	commented := func(text string) string {
		return "Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n" + text + "\nthe end\n"
	}
	ed25519 := func(args ...string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.generate(append([]string{"-t", "ed25519", "-a", "1"}, args...)...) }
	}
	rsa := func(args ...string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.generate(append([]string{"-t", "rsa", "-b", "2048"}, args...)...) }
	}
	ecdsa := func(args ...string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.generate(append([]string{"-t", "ecdsa"}, args...)...) }
	}
	rsaPEM, ecPEM := rsa("-m", "PEM"), ecdsa("-m", "PEM")
	openssl := func(command string, from func(*keyMaker) string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.openssl(command, from(k)) }
	}
	puttygen := func(params string, from func(*keyMaker) string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.puttygen(from(k), params) }
	}
	edited := func(edit func(string) string, from func(*keyMaker) string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.edited(from(k), edit) }
	}
	fifo := func(from func(*keyMaker) string) func(*keyMaker) string {
		return func(k *keyMaker) string { return k.fifo(from(k)) }
	}
	const secret, gosshOnly = true, true
	for _, c := range []struct {
		name      string
		file      func(*keyMaker) string
		encrypted bool
		beyond    bool // ssh cannot read it, or not in each version
	}{
		{"ed25519", ed25519(), !secret, !gosshOnly},
		{"RSA", rsa(), !secret, !gosshOnly},
		{"ECDSA 256", ecdsa("-b", "256"), !secret, !gosshOnly},
		{"ECDSA 384", ecdsa("-b", "384"), !secret, !gosshOnly},
		{"ECDSA 521", ecdsa("-b", "521"), !secret, !gosshOnly},
		{"PEM RSA", rsaPEM, !secret, !gosshOnly},
		{"PEM EC", ecPEM, !secret, !gosshOnly},
		{"PKCS#8 RSA", rsa("-m", "PKCS8"), !secret, !gosshOnly},
		{"PKCS#8 EC", ecdsa("-b", "384", "-m", "PKCS8"), !secret, !gosshOnly},
		{"PKCS#8 ed25519", func(k *keyMaker) string {
			file := k.openssl("genpkey -algorithm ED25519")
			k.authorizePEM(file)
			return file
		}, !secret, gosshOnly},
		{"aes256-ctr", ed25519("-N", "secret"), secret, !gosshOnly},
		{"aes256-gcm", ed25519("-N", "secret", "-Z", "aes256-gcm@openssh.com"), secret, !gosshOnly},
		{"chacha20-poly1305", ed25519("-N", "secret", "-Z", "chacha20-poly1305@openssh.com"), secret, !gosshOnly},
		{"3des-cbc", ed25519("-N", "secret", "-Z", "3des-cbc"), secret, !gosshOnly},
		{"PEM encrypted", rsa("-m", "PEM", "-N", "secret"), secret, !gosshOnly},
		{"PEM triple DES", openssl("ec -des3 -passout pass:secret", ecPEM), secret, !gosshOnly},
		{"PKCS#8 encrypted", ecdsa("-m", "PKCS8", "-N", "secret"), secret, !gosshOnly},
		{"PKCS#8 scrypt", openssl("pkcs8 -topk8 -scrypt -scrypt_N 1024 -passout pass:secret", rsaPEM), secret, !gosshOnly},
		{"explicit parameters", openssl("ec -param_enc explicit", ecPEM), !secret, !gosshOnly},
		{"PEM with CRLF", edited(crlf, rsaPEM), !secret, !gosshOnly},
		{"OpenSSH with CRLF", edited(crlf, ed25519("-N", "secret")), secret, gosshOnly},
		{"PEM with text around", edited(commented, ecPEM), !secret, !gosshOnly},
		{"OpenSSH with text around", edited(commented, ed25519()), !secret, gosshOnly},
		{"named pipe", fifo(ed25519()), !secret, !gosshOnly},
		{"named pipe, encrypted", fifo(ed25519("-N", "secret")), secret, !gosshOnly},
		{"PuTTY 2", puttygen("version=2", ed25519()), secret, gosshOnly},
		{"PuTTY 3", puttygen("version=3,memory=64,passes=2", rsaPEM), secret, gosshOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := k.at(t)
			file := c.file(k)
			question := ""
			if c.encrypted {
				question = "Enter passphrase for key '" + file + "': \n"
			}
			args := []string{"-i", file, "sshd", "echo in; exit 3"}
			o, asked := k.asking(gosshPath, args...)
			o.want(t, 3, "in\n", silent())
			if asked != question {
				t.Errorf("asked %q, want %q", asked, question)
			}
			if c.beyond {
				return
			}
			theirs, question := k.asking("ssh", args...)
			compare(t, "ssh", o, theirs)
			if asked != question {
				t.Errorf("asked %q, ssh %q", asked, question)
			}
		})
	}
}

// TestKeyFileMessages: a file that gives no key has ssh's message and status.
func TestKeyFileMessages(t *testing.T) {
	t.Parallel()
	k := withKeyFiles(t)
	k.write("passphrase", "wrong\n")
	cut := func(n int) func(string) string { return func(text string) string { return text[:n] } }
	const loading = `Load key "FILE": `
	for _, c := range []struct {
		name  string
		file  string
		says  string // before the refusal, in ssh 10's words
		asked int
	}{
		{"empty", k.write("empty", ""), loading + "invalid format\n", 0},
		{"garbage", k.write("garbage", "nonsense\n"), loading + "invalid format\n", 0},
		{"cut off", k.edited(k.generate("-t", "ed25519"), cut(200)), loading + "invalid format\n", 0},
		{"cut off, PEM", k.edited(k.generate("-t", "rsa", "-b", "2048", "-m", "PEM"), cut(300)), loading + "invalid format\n", 0},
		{"cut off, encrypted", k.edited(k.generate("-t", "ed25519", "-N", "secret"), cut(200)), loading + "invalid format\n", 0},
		{"Ed448", k.openssl("genpkey -algorithm ED448"), loading + "invalid format\n", 0},
		{"another curve", k.openssl("ecparam -name secp256k1 -genkey -noout"), loading + "invalid format\n", 0},
		{"a small RSA key", k.openssl("genrsa 768"), loading + "Invalid key length\n", 0},
		{"a folder", k.folder("folder"), loading + "Is a directory\n", 0},
		{"no file", k.path("missing"), "Warning: Identity file FILE not accessible: No such file or directory.\n", 0},
		{"wrong passphrase", k.generate("-t", "ed25519", "-a", "1", "-N", "secret"), "", 3},
		{"wrong passphrase, PEM", k.generate("-t", "ecdsa", "-m", "PEM", "-N", "secret"), "", 3},
		{"wrong passphrase, PKCS#8", k.generate("-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "secret"), "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := k.at(t)
			args := []string{"-i", c.file, "sshd", "echo in"}
			got, asked := w.asking(gosshPath, args...)
			want, theirs := w.asking("ssh", args...)
			want.stderr = strings.ReplaceAll(want.stderr, "error in libcrypto", "invalid format") // as ssh 9.2 says it
			compare(t, "ssh", got, want)
			if asked != theirs || strings.Count(asked, "Enter passphrase for key '"+c.file+"': \n") != c.asked {
				t.Errorf("asked %q, ssh %q", asked, theirs)
			}
			if said, ok := strings.CutPrefix(got.stderr, strings.ReplaceAll(c.says, "FILE", c.file)); !ok || got.status != 255 ||
				!strings.HasPrefix(said, w.srv.User+"@127.0.0.1: Permission denied (publickey") {
				t.Errorf("want %q and a refusal, got %v", c.says, got)
			}
		})
	}
}

// TestKeyFileModes: a file that others may read is not used, whatever its
// format and however it is encrypted.
func TestKeyFileModes(t *testing.T) {
	t.Parallel()
	k := withKeyFiles(t)
	for name, file := range map[string]string{
		"OpenSSH":          k.generate("-t", "ed25519"),
		"encrypted":        k.generate("-t", "ed25519", "-a", "1", "-N", "secret"),
		"PEM":              k.generate("-t", "rsa", "-b", "2048", "-m", "PEM"),
		"PKCS#8 encrypted": k.generate("-t", "ecdsa", "-m", "PKCS8", "-N", "secret"),
	} {
		t.Run(name, func(t *testing.T) {
			w := k.at(t)
			if err := os.Chmod(file, 0o640); err != nil {
				t.Fatal(err)
			}
			args := []string{"-i", file, "sshd", "echo in"}
			got, asked := w.asking(gosshPath, args...)
			want, theirs := w.asking("ssh", args...)
			compare(t, "ssh", got, want)
			if got.status != 255 || asked != "" || theirs != "" || !strings.Contains(got.stderr, "WARNING: UNPROTECTED PRIVATE KEY FILE!") ||
				!strings.Contains(got.stderr, "Permissions 0640 for '"+file+"' are too open.\n") {
				t.Errorf("asked %q, ssh %q; %v", asked, theirs, got)
			}
		})
	}
}

// folder makes a folder below home.
func (k *keyMaker) folder(name string) string {
	k.t.Helper()
	if err := os.Mkdir(k.path(name), 0o700); err != nil {
		k.t.Fatal(err)
	}
	return k.path(name)
}
