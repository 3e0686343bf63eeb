package client

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshtest"
)

// manyKeys returns a server with a host key of each type.
func manyKeys(t *testing.T) (*setup, map[string]ssh.PublicKey) {
	t.Helper()
	keys := make(map[string]ssh.PublicKey)
	var signers []ssh.Signer
	for _, format := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoRSA} {
		signer, err := sshtest.NewSigner(format)
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, signer)
		keys[format] = signer.PublicKey()
	}
	return newSetup(t, sshtest.Options{HostKeys: signers}), keys
}

// TestFixedHostKey connects to a server with keys of all types when one of them
// is expected.
func TestFixedHostKey(t *testing.T) {
	s, keys := manyKeys(t)
	for format, key := range keys {
		s.opts.HostKeyCallback, s.opts.HostKeys = ssh.FixedHostKey(key), nil
		if _, err := s.dial(t); err != nil {
			t.Errorf("HostKeyCallback with %s: %v", format, err)
		}
		s.opts.HostKeyCallback, s.opts.HostKeys = nil, []ssh.PublicKey{key}
		var dialed atomic.Int32
		s.opts.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		if _, err := s.dial(t); err != nil || dialed.Load() != 1 {
			t.Errorf("HostKeys with %s: %v after %d connections", format, err, dialed.Load())
		}
		s.opts.NetDial = nil
	}
}

// TestFixedHostKeyRefused refuses a server that has none of the expected keys.
func TestFixedHostKeyRefused(t *testing.T) {
	s, _ := manyKeys(t)
	other, err := sshtest.NewSigner(ssh.KeyAlgoECDSA256)
	if err != nil {
		t.Fatal(err)
	}
	s.opts.HostKeyCallback = ssh.FixedHostKey(other.PublicKey())
	_, err = s.dial(t)
	refusedHostKey(t, err)

	s.opts.HostKeyCallback, s.opts.HostKeys = nil, []ssh.PublicKey{other.PublicKey()}
	_, err = s.dial(t)
	var changed *hostkey.ChangedError
	if !errors.As(err, &changed) || !errors.Is(err, hostkey.ErrVerification) || Retryable(err) {
		t.Errorf("HostKeys: %v", err)
	}
}

// refusedHostKey checks the error of a refusing HostKeyCallback.
func refusedHostKey(t *testing.T, err error) {
	t.Helper()
	var conn *ConnError
	var callback *CallbackError
	switch {
	case !errors.As(err, &conn) || conn.Phase != PhaseKex || conn.Host == "" || conn.Port == 0 || conn.Address == "":
		t.Errorf("%#v, want a ConnError that names host and phase", err)
	case !errors.As(err, &callback) || callback.Name != "HostKeyCallback":
		t.Errorf("%v, want a CallbackError", err)
	case !errors.Is(err, hostkey.ErrVerification):
		t.Errorf("%v does not match hostkey.ErrVerification", err)
	case Retryable(err):
		t.Errorf("%v is retryable", err)
	}
}

// TestHostKeyCallbackError keeps the callback's error, and calls it once.
func TestHostKeyCallbackError(t *testing.T) {
	s, _ := manyKeys(t)
	mine := errors.New("not in the inventory")
	calls := 0
	s.opts.HostKeyCallback = func(string, net.Addr, ssh.PublicKey) error { calls++; return mine }
	_, err := s.dial(t)
	refusedHostKey(t, err)
	if !errors.Is(err, mine) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestPasswordCallbackError keeps the error of Options.Password, by either
// method, and takes it for no refusal of the server's.
func TestPasswordCallbackError(t *testing.T) {
	for _, method := range []string{"password", "keyboard-interactive"} {
		t.Run(method, func(t *testing.T) {
			user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
			if method != "password" {
				user = sshtest.User{Name: sshtest.DefaultUser, Rounds: []sshtest.Round{{Prompts: []sshtest.Prompt{{Text: "Code: ", Answer: "right"}}}}}
			}
			s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}}, "PreferredAuthentications "+method)
			mine := errors.New("the vault is sealed")
			s.opts.Password = func(context.Context) (string, error) { return "", mine }
			_, err := s.dial(t)
			var conn *ConnError
			var denied *AuthError
			if !errors.Is(err, mine) || errors.As(err, &denied) || !errors.As(err, &conn) || conn.Phase != PhaseAuth {
				t.Errorf("got %#v", err)
			}
			if Retryable(err) {
				t.Error("retryable")
			}
		})
	}
}

// TestClosedDuringAuthentication: a connection that this side closed while it
// authenticated is a lost connection, not a refusal by the server.
func TestClosedDuringAuthentication(t *testing.T) {
	user := sshtest.User{Name: sshtest.DefaultUser, Password: "right"}
	for name, listen := range map[string]func(net.Conn) net.Conn{
		"closed": func(c net.Conn) net.Conn { return c },
		"pipe":   func(c net.Conn) net.Conn { return pipeTo(t, c) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, sshtest.Options{Users: []sshtest.User{user}})
			var conn net.Conn
			s.opts.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				conn = listen(c)
				return conn, nil
			}
			s.opts.Password = func(context.Context) (string, error) {
				conn.Close()
				return "right", nil
			}
			_, err := s.dial(t)
			var broken *ConnError
			if !errors.As(err, &broken) || broken.Phase != PhaseAuth || !Retryable(err) {
				t.Errorf("got %#v", err)
			}
		})
	}
}

// pipeTo returns one end of a net.Pipe whose other end is copied to and from c.
func pipeTo(t *testing.T, c net.Conn) net.Conn {
	near, far := net.Pipe()
	done := make(chan struct{}, 2)
	for _, ends := range [][]net.Conn{{c, far}, {far, c}} {
		go func() {
			io.Copy(ends[0], ends[1])
			c.Close()
			far.Close()
			done <- struct{}{}
		}()
	}
	t.Cleanup(func() {
		near.Close()
		<-done
		<-done
	})
	return near
}

// TestTypesFirst orders the algorithms by the keys that are expected.
func TestTypesFirst(t *testing.T) {
	rsa, err := sshtest.NewSigner(ssh.KeyAlgoRSA)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostKeys{only: []ssh.PublicKey{rsa.PublicKey()}}
	got := h.typesFirst([]string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA256})
	want := []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
