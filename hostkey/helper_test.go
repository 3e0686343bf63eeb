package hostkey

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HOSTKEY_TEST_ADDER"); dir != "" {
		os.Exit(adderProcess(dir))
	}
	goleak.VerifyTestMain(m)
}

// tool finds a program of OpenSSH, or skips; in CI it must be there.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && name == "sshd" {
		path, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("SKIPPED: %s is not installed, so nothing was compared with OpenSSH", name)
	}
	return path
}

// run runs a program and returns what it prints to both outputs.
func run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+t.TempDir(), "SSH_AUTH_SOCK=", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustRun is run for what has to work.
func mustRun(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := run(t, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func newSigner(t testing.TB, kind string) ssh.Signer {
	t.Helper()
	var priv any
	var err error
	switch kind {
	case "ed25519":
		_, priv, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		priv, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa521":
		priv, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa":
		priv, err = rsaKey()
	case "rsa1024":
		t.Setenv("GODEBUG", "rsa1024min=0")
		priv, err = rsa.GenerateKey(rand.Reader, 1024)
	default:
		t.Fatalf("no key of kind %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return &testSigner{s.(ssh.MultiAlgorithmSigner), priv}
}

// testSigner remembers its private key, to be written to a file.
type testSigner struct {
	ssh.MultiAlgorithmSigner
	key any
}

func private(t testing.TB, s ssh.Signer) crypto.PrivateKey {
	t.Helper()
	return s.(*testSigner).key
}

// rsaKey makes one RSA key for all tests: they are slow to make.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newKey(t testing.TB, kind string) ssh.PublicKey { return newSigner(t, kind).PublicKey() }

// keys are made once; a test that needs several of a kind makes its own.
type keys struct {
	ed, ed2, ed3, ecdsa, rsa ssh.PublicKey
}

func newKeys(t testing.TB) keys {
	return keys{
		ed: newKey(t, "ed25519"), ed2: newKey(t, "ed25519"), ed3: newKey(t, "ed25519"),
		ecdsa: newKey(t, "ecdsa"), rsa: newKey(t, "rsa"),
	}
}

// certify makes a host certificate that is good for host, then changed by edit.
func certify(t testing.TB, key ssh.PublicKey, ca ssh.Signer, edit func(*ssh.Certificate), principals ...string) *ssh.Certificate {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key, CertType: ssh.HostCert, KeyId: "id", Serial: 7, ValidPrincipals: principals,
		ValidBefore: ssh.CertTimeInfinity,
	}
	if edit != nil {
		edit(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	// As it comes off the wire.
	parsed, err := ssh.ParsePublicKey(cert.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*ssh.Certificate)
}

func write(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func entryLine(hosts string, key ssh.PublicKey) string { return hosts + " " + keyText(key) + "\n" }

// witness hears the events and answers the questions of a Checker.
type witness struct {
	mu        sync.Mutex
	events    []Event
	questions []Question
	answer    bool
	err       error
}

func (w *witness) notify(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *witness) ask(_ context.Context, q Question) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.questions = append(w.questions, q)
	return w.answer, w.err
}

// names are the types of the events, for comparison in one line.
func (w *witness) names() string {
	var names []string
	for _, e := range w.events {
		names = append(names, reflect.TypeOf(e).Name())
	}
	return strings.Join(names, " ")
}

// event returns the first event of a type.
func event[E Event](t *testing.T, w *witness) E {
	t.Helper()
	for _, e := range w.events {
		if e, ok := e.(E); ok {
			return e
		}
	}
	var zero E
	t.Fatalf("no event %T in: %s", zero, w.names())
	return zero
}

// checker is a Checker with a witness.
func checker(o Options) (*Checker, *witness) {
	w := &witness{}
	o.Notify = w.notify
	o.Ask = w.ask
	return NewChecker(o), w
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func fixedTime(unix int64) func() time.Time {
	return func() time.Time { return time.Unix(unix, 0) }
}

// shortDiff says where two texts differ.
func shortDiff(got, want string) string {
	return fmt.Sprintf("got:\n%s\nwant:\n%s", got, want)
}
