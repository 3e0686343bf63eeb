package agentfwd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/internal/wire"
)

func TestSource(t *testing.T) {
	env := map[string]string{"SSH_AUTH_SOCK": "/run/agent", "MY_AGENT": "/run/mine"}
	getenv := func(name string) string { return env[name] }
	tests := []struct {
		in, address string
		source      Source
	}{
		{"SSH_AUTH_SOCK", "/run/agent", Source{}},
		{"none", "", Source{Kind: SourceNone}},
		{"NONE", "", Source{Kind: SourceNone}},
		{"$MY_AGENT", "/run/mine", Source{SourceVariable, "MY_AGENT"}},
		{"$NOBODY", "", Source{SourceVariable, "NOBODY"}},
		{"/tmp/x", "/tmp/x", Source{SourcePath, "/tmp/x"}},
	}
	for _, test := range tests {
		source, err := ParseSource(test.in)
		if err != nil || source != test.source {
			t.Errorf("%q: got %+v, error %v", test.in, source, err)
			continue
		}
		address, err := source.Address(getenv)
		if address != test.address || (err != nil) != (test.address == "") || (err != nil && !errors.Is(err, ErrNoAgent)) {
			t.Errorf("%q: address %q, error %v", test.in, address, err)
		}
	}
	for _, in := range []string{"", "$", "$A-B", "$A B"} {
		if _, err := ParseSource(in); err == nil {
			t.Errorf("%q is accepted", in)
		}
	}
}

func TestDialErrors(t *testing.T) {
	if _, err := Dial(t.Context(), Source{Kind: SourceNone}, nil); !errors.Is(err, ErrNoAgent) {
		t.Errorf("none: error %v", err)
	}
	path := filepath.Join(shortDir(t), "gone")
	_, err := Dial(t.Context(), Source{SourcePath, path}, nil)
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || unavailable.Address != path || unavailable.Op != "dial" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing socket: error %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("changed my mind")
	cancel(cause)
	if _, err := Dial(ctx, Source{SourcePath, path}, nil); err != cause {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestDialTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Dial(t.Context(), Source{SourcePath, "x"}, &Options{
			DialContext: func(ctx context.Context, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !errors.Is(err, ErrTimeout) || time.Since(began) != DefaultDialTimeout {
			t.Errorf("after %v: error %v", time.Since(began), err)
		}
	})
}

func TestRequestsTimeOut(t *testing.T) {
	key := newKey(t)
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	list := marshalIdentities([]Identity{{Blob: pub.Marshal(), Comment: "c"}})
	// hang answers so many messages, and then never again.
	hang := func(conn net.Conn, answers int) {
		for {
			if _, err := readMessage(conn); err != nil {
				return
			}
			if answers--; answers >= 0 && writeMessage(conn, list) != nil {
				return
			}
		}
	}
	tests := []struct {
		name    string
		answers int
		op      string
		want    time.Duration
		call    func(ctx context.Context, c *Conn) error
	}{
		{"list", 0, "list", DefaultRequestTimeout, func(ctx context.Context, c *Conn) error {
			_, err := c.Identities(ctx)
			return err
		}},
		{"list of an agent known to live", 1, "list", DefaultSignTimeout, func(ctx context.Context, c *Conn) error {
			if _, err := c.Identities(ctx); err != nil {
				return err
			}
			_, err := c.Identities(ctx)
			return err
		}},
		{"sign", 1, "sign", DefaultSignTimeout, func(ctx context.Context, c *Conn) error {
			signers, err := c.Signers(ctx)
			if err != nil {
				return err
			}
			_, err = signers[0].Sign(rand.Reader, []byte("data"))
			return err
		}},
		{"add", 0, "add", DefaultRequestTimeout, func(ctx context.Context, c *Conn) error {
			return c.Add(ctx, AddedKey{PrivateKey: key})
		}},
		{"session-bind", 0, "session-bind", DefaultRequestTimeout, func(ctx context.Context, c *Conn) error {
			return c.Bind(ctx, Binding{HostKey: pub}, false)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				go hang(far, test.answers)
				c := NewConn(near, nil)
				began := time.Now()
				err := test.call(t.Context(), c)
				var unavailable *UnavailableError
				if !errors.As(err, &unavailable) || unavailable.Op != test.op || !errors.Is(err, ErrTimeout) {
					t.Errorf("error %v", err)
				}
				if took := time.Since(began); took != test.want {
					t.Errorf("took %v, want %v", took, test.want)
				}
				// No further request waits: the place in the stream is lost.
				began = time.Now()
				if _, again := c.Identities(t.Context()); again != err || time.Since(began) != 0 {
					t.Errorf("afterwards: error %v after %v", again, time.Since(began))
				}
			})
		})
	}
}

func TestCancelAndCloseEndARequest(t *testing.T) {
	cause := errors.New("changed my mind")
	for _, how := range []string{"cancel", "close"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				c := NewConn(near, nil)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				failed := make(chan error, 2)
				for range 2 { // the second waits for its turn
					go func() {
						_, err := c.Identities(ctx)
						failed <- err
					}()
				}
				synctest.Wait()
				want := cause
				if how == "close" {
					c.Close()
					want = ErrClosed
				} else {
					cancel(cause)
				}
				for range 2 {
					if err := <-failed; err != want {
						t.Errorf("error %v, want %v", err, want)
					}
				}
			})
		})
	}
}

func TestListAndSignWithOpenSSH(t *testing.T) {
	socket := startAgent(t)
	c := connect(t, socket, nil)
	if ids, err := c.Identities(t.Context()); err != nil || len(ids) != 0 {
		t.Fatalf("empty agent: %v, error %v", ids, err)
	}
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	run(t, socket, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca)
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		file := filepath.Join(dir, kind)
		run(t, socket, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "the "+kind, "-f", file)
		run(t, socket, "ssh-keygen", "-q", "-s", ca, "-I", "id", "-n", "me", file+".pub")
		run(t, socket, "ssh-add", "-q", file)
	}
	signers, err := c.Signers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	data := []byte("what is signed")
	for _, s := range signers {
		got = append(got, s.Identity().Format+" "+s.Identity().Comment)
		algorithms := s.Algorithms()
		if s.keyFormat() == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSA) // for ssh.NewSignerWithAlgorithms
		}
		for _, algorithm := range algorithms {
			sig, err := s.SignWithAlgorithm(rand.Reader, data, algorithm)
			if err != nil || sig.Format != algorithm {
				t.Errorf("%s with %s: %+v, error %v", s.Identity().Format, algorithm, sig, err)
				continue
			}
			if err := s.PublicKey().Verify(data, sig); err != nil {
				t.Errorf("%s with %s: %v", s.Identity().Format, algorithm, err)
			}
		}
		if want := ssh.FingerprintSHA256(plainKey(s.PublicKey())); s.Identity().Fingerprint() != want {
			t.Errorf("fingerprint %s, want %s", s.Identity().Fingerprint(), want)
		}
	}
	want := []string{
		"ssh-rsa the rsa", "ssh-rsa-cert-v01@openssh.com the rsa",
		"ecdsa-sha2-nistp256 the ecdsa", "ecdsa-sha2-nistp256-cert-v01@openssh.com the ecdsa",
		"ssh-ed25519 the ed25519", "ssh-ed25519-cert-v01@openssh.com the ed25519",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	_, err = signers[4].SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA256)
	if skip := new(SignError); !errors.As(err, &skip) || !errors.Is(err, ErrSignatureType) {
		t.Errorf("rsa-sha2-256 of an ed25519 key: error %v", err)
	}
}

// plainKey takes the certificate off.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

func TestRefusalsSkipOneKey(t *testing.T) {
	socket := startAgent(t)
	c := connect(t, socket, nil)
	dir := t.TempDir()
	const count = 30
	for i := range count {
		// A key with -c needs an askpass program, which is not there.
		if err := c.Add(t.Context(), AddedKey{PrivateKey: newKey(t), Comment: fmt.Sprint(i), Confirm: i == 7}); err != nil {
			t.Fatal(err)
		}
	}
	signers, err := c.Signers(t.Context())
	if err != nil || len(signers) != count {
		t.Fatalf("%d keys, error %v", len(signers), err)
	}
	gone := filepath.Join(dir, "gone.pub")
	if err := os.WriteFile(gone, ssh.MarshalAuthorizedKey(signers[3].PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, socket, "ssh-add", "-q", "-d", gone)

	var wg sync.WaitGroup
	for i, s := range signers {
		if s.Identity().Comment != fmt.Sprint(i) {
			t.Errorf("key %d has comment %q", i, s.Identity().Comment)
		}
		wg.Go(func() { // all on one connection: no answer may go to another's request
			data := []byte(fmt.Sprint("data ", i))
			sig, err := s.Sign(rand.Reader, data)
			if i == 3 || i == 7 {
				var refused *SignError
				if !errors.As(err, &refused) || !errors.Is(err, ErrRefused) || refused.Comment != fmt.Sprint(i) {
					t.Errorf("key %d: error %v", i, err)
				}
				return
			}
			if err != nil {
				t.Errorf("key %d: %v", i, err)
			} else if err := s.PublicKey().Verify(data, sig); err != nil {
				t.Errorf("key %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestLockedAgent(t *testing.T) {
	socket := startAgent(t)
	c := connect(t, socket, nil)
	if err := c.Add(t.Context(), AddedKey{PrivateKey: newKey(t)}); err != nil {
		t.Fatal(err)
	}
	signers, err := c.Signers(t.Context())
	if err != nil || len(signers) != 1 {
		t.Fatalf("%d keys, error %v", len(signers), err)
	}
	raw, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	locker := agent.NewClient(fdOnly{raw})
	if err := locker.Lock([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	if ids, err := c.Identities(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("locked: %d keys, error %v", len(ids), err)
	}
	if _, err := signers[0].Sign(rand.Reader, []byte("x")); !errors.Is(err, ErrRefused) {
		t.Errorf("locked: signing gives %v", err)
	}
	if err := c.Add(t.Context(), AddedKey{PrivateKey: newKey(t)}); !errors.Is(err, ErrRefused) {
		t.Errorf("locked: adding gives %v", err)
	}
	if err := locker.Unlock([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := signers[0].Sign(rand.Reader, []byte("x")); err != nil {
		t.Errorf("unlocked: %v", err)
	}
}

// fdOnly hides Close from agent.NewClient, which then keeps no goroutine.
type fdOnly struct{ conn net.Conn }

func (f fdOnly) Read(p []byte) (int, error)  { return f.conn.Read(p) }
func (f fdOnly) Write(p []byte) (int, error) { return f.conn.Write(p) }

func TestAddSendsConstraints(t *testing.T) {
	var added []agent.AddedKey
	recorder := &recordingAgent{Agent: agent.NewKeyring(), add: func(key agent.AddedKey) { added = append(added, key) }}
	c := connect(t, keyringAgent(t, recorder), nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := certify(t, signer, ssh.UserCert, "me").PublicKey().(*ssh.Certificate)
	key := AddedKey{PrivateKey: rsaKey, Certificate: cert, Comment: "mine", Lifetime: 1500 * time.Millisecond, Confirm: true}
	if err := c.Add(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if len(added) != 2 {
		t.Fatalf("%d keys added, want the key and its certificate", len(added))
	}
	for i, got := range added {
		if got.Comment != "mine" || got.LifetimeSecs != 2 || !got.ConfirmBeforeUse || (got.Certificate != nil) != (i == 1) {
			t.Errorf("added %d: %+v", i, got)
		}
	}
	if err := c.Add(t.Context(), AddedKey{PrivateKey: rsaKey, Lifetime: -1}); err == nil {
		t.Error("negative lifetime is accepted")
	}
	if err := c.Add(t.Context(), AddedKey{PrivateKey: "no key"}); err == nil {
		t.Error("a string is accepted as a key")
	}
}

// recordingAgent tells of additions.
type recordingAgent struct {
	agent.Agent
	add func(agent.AddedKey)
}

func (a *recordingAgent) Add(key agent.AddedKey) error {
	a.add(key)
	return nil
}

func TestBrokenAgents(t *testing.T) {
	pub, err := ssh.NewPublicKey(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	list := marshalIdentities([]Identity{{Blob: pub.Marshal()}, {Blob: []byte("no key"), Comment: "odd"}})
	tests := []struct {
		name  string
		reply []byte // to the signature request; nil hangs up
		want  error
	}{
		{"hangs up", nil, nil},
		{"says success", []byte{msgSuccess}, ErrMalformed},
		{"cuts short", []byte{msgSignResponse, 0, 0, 0, 9}, ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := &fakeAgent{answer: func(_, n int, _ []byte) []byte {
				if n == 0 {
					return list
				}
				return test.reply
			}}
			socket := fake.listen(t)
			c := connect(t, socket, nil)
			signers, err := c.Signers(t.Context())
			if err != nil || len(signers) != 1 {
				t.Fatalf("%d signers, error %v: the odd key is to be left out", len(signers), err)
			}
			_, err = signers[0].Sign(rand.Reader, []byte("x"))
			var unavailable *UnavailableError
			if !errors.As(err, &unavailable) || unavailable.Address != socket || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("error %v", err)
			}
			var skip *SignError
			if errors.As(err, &skip) {
				t.Error("the agent's end passes for one key's failure")
			}
			if _, again := c.Identities(t.Context()); again != err {
				t.Errorf("afterwards: %v", again)
			}
		})
	}
}

func TestAgentWithoutSHA2(t *testing.T) {
	signer := newSigner(t, "rsa")
	fake := &fakeAgent{answer: func(_, n int, _ []byte) []byte {
		if n == 0 {
			return marshalIdentities([]Identity{{Blob: signer.PublicKey().Marshal()}})
		}
		sig := wire.AppendString(wire.AppendString(nil, ssh.KeyAlgoRSA), "blob")
		return wire.AppendString([]byte{msgSignResponse}, sig)
	}}
	c := connect(t, fake.listen(t), nil)
	signers, err := c.Signers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = signers[0].Sign(rand.Reader, []byte("x"))
	var skip *SignError
	if !errors.As(err, &skip) || !errors.Is(err, ErrSignatureType) {
		t.Errorf("error %v", err)
	}
	req, err := parseSignRequest(fake.messages()[1])
	if err != nil || req.Flags != flagRSASHA512 {
		t.Errorf("flags %d, error %v", req.Flags, err)
	}
}

func TestSecurityKey(t *testing.T) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const application = "ssh:"
	blob := wire.AppendString(nil, ssh.KeyAlgoSKED25519)
	blob = wire.AppendString(blob, priv.Public().(ed25519.PublicKey))
	blob = wire.AppendString(blob, application)
	fake := &fakeAgent{answer: func(_, n int, msg []byte) []byte {
		if n == 0 {
			return marshalIdentities([]Identity{{Blob: blob, Comment: "token"}})
		}
		req, err := parseSignRequest(msg)
		if err != nil {
			return failureReply()
		}
		// PROTOCOL.u2f: what the token signs, and flags and counter after it.
		app, data := sha256.Sum256([]byte(application)), sha256.Sum256(req.Data)
		flagsAndCounter := []byte{1, 0, 0, 0, 9}
		signed := slices.Concat(app[:], flagsAndCounter, data[:])
		sig := wire.AppendString(nil, ssh.KeyAlgoSKED25519)
		sig = wire.AppendString(sig, ed25519.Sign(priv, signed))
		return wire.AppendString([]byte{msgSignResponse}, append(sig, flagsAndCounter...))
	}}
	c := connect(t, fake.listen(t), nil)
	signers, err := c.Signers(t.Context())
	if err != nil || len(signers) != 1 {
		t.Fatalf("%d signers, error %v", len(signers), err)
	}
	data := []byte("what is signed")
	sig, err := signers[0].Sign(rand.Reader, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := signers[0].PublicKey().Verify(data, sig); err != nil {
		t.Errorf("signature with %x after it: %v", sig.Rest, err)
	}
}

func TestBindWithAnAgentThatDoesNotKnowIt(t *testing.T) {
	pub, err := ssh.NewPublicKey(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []byte{msgFailure, msgExtensionFailure, msgSuccess, 77} {
		fake := &fakeAgent{answer: func(int, int, []byte) []byte { return []byte{reply} }}
		c := connect(t, fake.listen(t), nil)
		err = c.Bind(t.Context(), Binding{HostKey: pub, SessionID: []byte("id"), Signature: []byte("sig")}, true)
		var want error
		switch reply {
		case msgFailure, msgExtensionFailure:
			want = ErrRefused
		case 77:
			want = ErrMalformed
		}
		if !errors.Is(err, want) {
			t.Errorf("reply %d: error %v, want %v", reply, err, want)
		}
		sent := sessionBind{HostKey: pub.Marshal(), SessionID: []byte("id"), Signature: []byte("sig"), Forwarding: true}.marshal()
		if got := fake.messages(); len(got) != 1 || !bytes.Equal(got[0], sent) {
			t.Errorf("sent %x", got)
		}
	}
	if err := (&Conn{}).Bind(t.Context(), Binding{}, false); !errors.Is(err, ErrNoBinding) {
		t.Errorf("empty binding: error %v", err)
	}
}
