package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds a test that hangs; none is meant to come near it.
const limit = 30 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// setup is a server and the options of a client for it.
type setup struct {
	srv  *sshtest.Server
	dir  string
	opts Options

	configs int // files written so far

	mu     sync.Mutex
	events []Event
}

// newSetup starts a server; lines are added in front of the configuration.
func newSetup(t *testing.T, o sshtest.Options, lines ...string) *setup {
	t.Helper()
	s := &setup{srv: sshtest.NewServer(t, &o), dir: t.TempDir()}
	files, err := s.srv.WriteFiles(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	s.configure(t, files.Config, lines...)
	return s
}

// configure puts lines in front of those of the file.
func (s *setup) configure(t *testing.T, file string, lines ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.configs++
	name := s.write(t, fmt.Sprintf("config%d", s.configs), strings.Join(append(lines, "BatchMode no"), "\n")+"\n"+string(text))
	s.opts = Options{
		ConfigOptions: &sshconfig.Options{UserFile: name},
		Transport:     Transport(os.Getenv("GOSSH_TEST_TRANSPORT")), // make test runs them with both
		Notify: func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	}
}

func (s *setup) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *setup) dial(t *testing.T) (*Client, error) {
	t.Helper()
	c, err := Dial(testContext(t), "sshtest", &s.opts)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func (s *setup) mustDial(t *testing.T) *Client {
	t.Helper()
	c, err := s.dial(t)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hasEvent[E Event](s *setup) (found E, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if found, ok = e.(E); ok {
			return found, true
		}
	}
	return found, false
}

// attempts are the methods that the server saw, "none" left out, with the
// fingerprint's place in names for keys.
func (s *setup) attempts(names map[string]string) []string {
	var out []string
	for _, a := range s.srv.Attempts() {
		switch {
		case a.Method == "none":
		case a.Method == "publickey" && a.Signed:
			out = append(out, "sign "+names[a.Fingerprint])
		case a.Method == "publickey":
			out = append(out, "offer "+names[a.Fingerprint])
		default:
			out = append(out, a.Method)
		}
	}
	return out
}

// script is a Prompter with answers prepared.
type script struct {
	password   func(PasswordQuestion) (string, error)
	challenge  func(ChallengeQuestion) ([]string, error)
	passphrase func(PassphraseQuestion) (string, error)
	hostKey    func(hostkey.Question) (bool, error)
	addKey     func(AddKeyQuestion) (bool, error)
}

func (s script) Password(_ context.Context, q PasswordQuestion) (string, error) {
	return s.password(q)
}
func (s script) Challenge(_ context.Context, q ChallengeQuestion) ([]string, error) {
	return s.challenge(q)
}
func (s script) Passphrase(_ context.Context, q PassphraseQuestion) (string, error) {
	return s.passphrase(q)
}
func (s script) HostKey(_ context.Context, q hostkey.Question) (bool, error) { return s.hostKey(q) }
func (s script) AddKey(_ context.Context, q AddKeyQuestion) (bool, error)    { return s.addKey(q) }

// newKey makes a key and its file; it returns the public half.
func (s *setup) newKey(t *testing.T, name, format string) (ssh.Signer, string) {
	t.Helper()
	key, err := sshtest.NewKey(format)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, s.write(t, name, string(marshalKey(t, key, "")))
}

// closedPort is a loopback address where nobody listens, nor can: a connection
// has the port.
func closedPort(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.TCPAddr)
}

// freePort is one that can be listened on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
