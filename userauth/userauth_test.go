package userauth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/opensshd"
	"github.com/gossh-project/gossh/transport"
)

func signer(t testing.TB, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ed25519Key(t testing.TB) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return signer(t, key, err)
}

func dial(t testing.TB, nc net.Conn) *transport.Conn {
	t.Helper()
	c, err := transport.Client(nc, &transport.Config{
		Version:           "SSH-2.0-gossh_test",
		KeyExchanges:      []string{"curve25519-sha256"},
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Ciphers:           []string{"aes128-gcm@openssh.com"},
		MACs:              []string{"hmac-sha2-256"},
		HostKey:           func(transport.HostKey) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serve starts x/crypto's server and returns a transport to it.
func serve(t testing.TB, sc *ssh.ServerConfig) *transport.Conn {
	t.Helper()
	sc.AddHostKey(ed25519Key(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { server.Close(); <-done })
	go func() {
		defer close(done)
		conn, chans, reqs, err := ssh.NewServerConn(server, sc)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		for c := range chans {
			c.Reject(ssh.Prohibited, "no")
		}
		conn.Wait()
	}()
	return dial(t, nc)
}

// inOrder returns a Next that gives methods one after another, and keeps what it
// was told.
func inOrder(states *[]State, methods ...Method) func(State) (Method, error) {
	return func(st State) (Method, error) {
		*states = append(*states, st)
		if len(methods) == 0 {
			return nil, nil
		}
		m := methods[0]
		methods = methods[1:]
		return m, nil
	}
}

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func TestMethods(t *testing.T) {
	t.Parallel()
	right, wrong := ed25519Key(t), ed25519Key(t)
	rsaRaw, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaKey := signer(t, rsaRaw, err)
	answers := func(_, _ string, questions []string, echos []bool) ([]string, error) {
		if !slices.Equal(questions, []string{"one? ", "two? "}) || !slices.Equal(echos, []bool{true, false}) {
			return nil, errors.New("other questions")
		}
		return []string{"1", "2"}, nil
	}
	failing := errors.New("nobody there")
	for _, test := range []struct {
		name    string
		first   Method
		methods []Method
		want    error
		tried   int
	}{
		{"password", nil, []Method{Password(secret("wrong"), nil), Password(secret("right"), nil)}, nil, 2},
		{"key", nil, []Method{PublicKey(wrong), PublicKey(right)}, nil, 2},
		{"rsa", nil, []Method{PublicKey(rsaKey)}, nil, 1},
		{"quick key at once", QuickPublicKey(right), nil, nil, 0},
		{"wrong quick key, then another", QuickPublicKey(wrong), []Method{QuickPublicKey(right)}, nil, 1},
		{"questions", nil, []Method{KeyboardInteractive(nil, answers)}, nil, 1},
		{"nothing left", nil, []Method{PublicKey(wrong)}, ErrNoMethod, 2},
		{"a method that fails here", nil, []Method{Password(func() (string, error) { return "", failing }, nil), PublicKey(right)}, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, &ssh.ServerConfig{
				MaxAuthTries: 20,
				PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
					if string(p) == "right" {
						return nil, nil
					}
					return nil, errors.New("wrong")
				},
				PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
					if s := string(k.Marshal()); s == string(right.PublicKey().Marshal()) || s == string(rsaKey.PublicKey().Marshal()) {
						return nil, nil
					}
					return nil, errors.New("wrong")
				},
				KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					got, err := ask("name", "instruction", []string{"one? ", "two? "}, []bool{true, false})
					if err == nil && !slices.Equal(got, []string{"1", "2"}) {
						err = errors.New("wrong")
					}
					return nil, err
				},
				BannerCallback: func(ssh.ConnMetadata) string { return "welcome" },
			})
			var states []State
			banner := ""
			err := Client(c, Config{User: "user", First: test.first, Next: inOrder(&states, test.methods...),
				Banner: func(text string) error { banner += text; return nil }})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if len(states) != test.tried {
				t.Errorf("%d failures, want %d: %+v", len(states), test.tried, states)
			}
			if banner != "welcome" {
				t.Errorf("banner %q", banner)
			}
			if test.first == nil && !slices.Contains(states[0].Allowed, "publickey") {
				t.Errorf("allowed %q", states[0].Allowed)
			}
		})
	}
}

// TestPartialSuccess authenticates in two steps.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	key := ed25519Key(t)
	c := serve(t, &ssh.ServerConfig{
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
				PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, nil },
			}}
		},
	})
	var states []State
	err := Client(c, Config{User: "user", Next: inOrder(&states, PublicKey(key), Password(secret("x"), nil))})
	if err != nil {
		t.Fatal(err)
	}
	last := states[len(states)-1]
	if !slices.Equal(last.Partial, []string{"publickey"}) || !slices.Equal(last.Allowed, []string{"password"}) {
		t.Errorf("%+v", last)
	}
}

// TestOpenSSH logs in to OpenSSH's server, which binds the host key.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	srv := opensshd.Prepare(t, &opensshd.Options{Extra: "LogLevel DEBUG2\n"})
	key := readKey(t, srv.ClientKey)
	for _, quick := range []bool{false, true} {
		nc, err := srv.Dial()
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, nc)
		var states []State
		cfg := Config{User: srv.User, Next: inOrder(&states, PublicKey(key))}
		if quick {
			cfg.First = QuickPublicKey(key)
		}
		if err := Client(c, cfg); err != nil {
			t.Errorf("quick %t: %v", quick, err)
		}
		if quick && len(states) > 0 {
			t.Errorf("it was not quick: %+v", states)
		}
		c.Close()
	}
	if !strings.Contains(srv.Log(), "publickey-hostbound-v00@openssh.com") {
		t.Log("this sshd does not bind the host key, or does not log it")
	}
}
