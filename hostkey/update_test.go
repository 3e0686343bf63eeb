package hostkey

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"

	"github.com/gossh-project/gossh/internal/sshkey"
)

// rotating is a server that announces keys and proves them.
type rotating struct {
	signers   []ssh.Signer
	algorithm string // for RSA signatures; "" is rsa-sha2-512
	sessionID []byte
	spoil     func(reply []byte) []byte
	proofs    int
	asked     int
}

func (r *rotating) payload() []byte {
	var out []byte
	for _, s := range r.signers {
		out = wire.AppendString(out, s.PublicKey().Marshal())
	}
	return out
}

// prove does what sshd does with hostkeys-prove-00@openssh.com.
func (r *rotating) prove(_ context.Context, payload []byte) ([]byte, error) {
	r.proofs++
	var reply []byte
	for w := wire.NewReader(payload); w.More(); {
		blob := w.Bytes()
		var signer ssh.Signer
		for _, s := range r.signers {
			if bytes.Equal(s.PublicKey().Marshal(), blob) {
				signer = s
			}
		}
		if signer == nil {
			return nil, errors.New("asked for a key that was not announced")
		}
		r.asked++
		data := wire.AppendString(wire.AppendString(wire.AppendString(nil, []byte(proveRequest)), r.sessionID), blob)
		var sig *ssh.Signature
		var err error
		if signer.PublicKey().Type() == ssh.KeyAlgoRSA {
			algorithm := cmp.Or(r.algorithm, ssh.KeyAlgoRSASHA512)
			sig, err = signer.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, algorithm)
		} else {
			sig, err = signer.Sign(rand.Reader, data)
		}
		if err != nil {
			return nil, err
		}
		reply = wire.AppendString(reply, ssh.Marshal(sig))
	}
	if r.spoil != nil {
		reply = r.spoil(reply)
	}
	return reply, nil
}

// allAlgorithms is HostKeyAlgorithms for these tests.
func allAlgorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
}

func TestUpdate(t *testing.T) {
	cur, add, gone, rsa, ecdsa := newSigner(t, "ed25519"), newSigner(t, "ed25519"), newKey(t, "ed25519"), newSigner(t, "rsa"), newSigner(t, "ecdsa")
	key, line := cur.PublicKey(), entryLine("a", cur.PublicKey())
	all := []ssh.Signer{cur, add, rsa}
	after := line + entryLine("a", add.PublicKey()) + entryLine("a", rsa.PublicKey())
	ip := Target{Host: "a", Addr: addr("192.0.2.1")}
	flip := func(reply []byte) []byte { reply[len(reply)-1] ^= 1; return reply }
	bad := "bad"
	for _, tt := range []struct {
		name      string
		file      string
		signers   []ssh.Signer
		opts      Options
		target    Target
		algs      []string
		kex, sign string
		spoil     func([]byte) []byte
		session   string
		want      string // the file; "" is unchanged, bad is unchanged with ErrBadProof
		proofs    int
		events    string
	}{
		{name: "learn", file: line, signers: all, want: after, proofs: 1, events: "KeyLearned KeyLearned"},
		{name: "nothing new", file: after, signers: all},
		{name: "in another order", file: after, signers: []ssh.Signer{rsa, add, cur}},
		{name: "rotate", file: "# x\n" + line + entryLine("b", ecdsa.PublicKey()) + entryLine("a", gone), signers: all,
			want: "# x\n" + line + entryLine("b", ecdsa.PublicKey()) + entryLine("a", add.PublicKey()) + entryLine("a", rsa.PublicKey()), proofs: 1, events: "KeyLearned KeyLearned KeyDeprecated"},
		{name: "remove needs no proof", file: line + entryLine("a", gone), signers: all[:1], want: line, events: "KeyDeprecated"},
		{name: "comments and bad lines stay", file: "a ssh-future AAAA\n@bad x\n" + strings.TrimSuffix(line, "\n") + " my comment\r\n\n" + entryLine("a", gone), signers: all[:1],
			want: "a ssh-future AAAA\n@bad x\n" + strings.TrimSuffix(line, "\n") + " my comment\r\n\n", events: "KeyDeprecated"},
		{name: "no newline at the end", file: "# x\n" + strings.TrimSuffix(line, "\n"), signers: []ssh.Signer{cur, add}, want: "# x\n" + line + entryLine("a", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "a port", file: entryLine("[a]:2222", key), target: Target{Host: "a", Port: 2222}, signers: []ssh.Signer{cur, add},
			want: entryLine("[a]:2222", key) + entryLine("[a]:2222", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "an alias", file: entryLine("z", key), target: Target{Host: "a", Alias: "z", Port: 2222}, signers: []ssh.Signer{cur, add},
			want: entryLine("z", key) + entryLine("z", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		// Conditions of UpdateHostKeys.
		{name: "off", file: line, signers: all, opts: Options{UpdateHostKeys: -1}},
		{name: "wildcard", file: entryLine("a*", key), signers: all},
		{name: "wildcard besides", file: line + entryLine("?", gone), signers: all},
		{name: "three names", file: entryLine("a,b,c", key), signers: all},
		{name: "two names", file: entryLine("a,b", key), signers: []ssh.Signer{cur, add}, want: entryLine("a,b", key) + entryLine("a", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "CA", file: line + "@cert-authority a " + keyText(gone) + "\n", signers: all},
		{name: "revoked", file: line + "@revoked a " + keyText(gone) + "\n", signers: all},
		{name: "CA of others", file: line + "@cert-authority b " + keyText(gone) + "\n", signers: []ssh.Signer{cur, add}, want: line + "@cert-authority b " + keyText(gone) + "\n" + entryLine("a", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "key under another name", file: line + entryLine("b", add.PublicKey()), signers: all},
		{name: "current key under another name", file: line + entryLine("b", key), signers: all},
		{name: "old key under another name", file: line + entryLine("a", gone) + entryLine("b", gone), signers: all},
		// CheckHostIP.
		{name: "address", file: entryLine("a,192.0.2.1", key), target: ip, opts: Options{CheckHostIP: true}, signers: []ssh.Signer{cur, add},
			want: entryLine("a,192.0.2.1", key) + entryLine("a,192.0.2.1", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "address on a line of its own", file: line + entryLine("192.0.2.1", key), target: ip, opts: Options{CheckHostIP: true}, signers: []ssh.Signer{cur, add},
			want: line + entryLine("192.0.2.1", key) + entryLine("a,192.0.2.1", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "address removed too", file: line + entryLine("192.0.2.1", key) + entryLine("192.0.2.1", gone), target: ip, opts: Options{CheckHostIP: true}, signers: all[:1],
			want: line + entryLine("192.0.2.1", key), events: "KeyDeprecated"},
		{name: "address with another name", file: line + entryLine("b,192.0.2.1", key), target: ip, opts: Options{CheckHostIP: true}, signers: all},
		{name: "name with another address", file: entryLine("a,192.0.2.2", key) + entryLine("192.0.2.1", key), target: ip, opts: Options{CheckHostIP: true}, signers: all},
		{name: "address does not matter", file: line + entryLine("192.0.2.1", gone), target: ip, signers: []ssh.Signer{cur, add},
			want: line + entryLine("192.0.2.1", gone) + entryLine("a", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		// Keys that do not count.
		{name: "algorithm not allowed", file: line, signers: []ssh.Signer{cur, ecdsa}, algs: []string{ssh.KeyAlgoED25519}},
		{name: "too small", file: line, signers: []ssh.Signer{cur, rsa}, opts: Options{RequiredRSASize: 4096}},
		{name: "announced twice", file: line, signers: []ssh.Signer{cur, add, add}, want: "error"},
		// Proofs.
		{name: "RSA with SHA-2", file: line, signers: []ssh.Signer{cur, rsa}, sign: ssh.KeyAlgoRSASHA256, want: line + entryLine("a", rsa.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "RSA with SHA-1 is passed over", file: line, signers: []ssh.Signer{cur, rsa, add}, sign: ssh.KeyAlgoRSA, want: line + entryLine("a", add.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "RSA as negotiated", file: line, signers: []ssh.Signer{cur, rsa}, sign: ssh.KeyAlgoRSASHA512, kex: ssh.CertAlgoRSASHA512v01, want: line + entryLine("a", rsa.PublicKey()), proofs: 1, events: "KeyLearned"},
		{name: "RSA not as negotiated", file: line, signers: []ssh.Signer{cur, rsa}, sign: ssh.KeyAlgoRSASHA256, kex: ssh.KeyAlgoRSASHA512, want: bad, proofs: 1},
		{name: "bad signature", file: line, signers: all[:2], spoil: flip, want: bad, proofs: 1},
		{name: "of another session", file: line, signers: all[:2], session: "another", want: bad, proofs: 1},
		{name: "one signature short", file: line, signers: all, spoil: func(r []byte) []byte { w := wire.NewReader(r); return wire.AppendString(nil, w.Bytes()) }, want: bad, proofs: 1},
		{name: "one signature more", file: line, signers: all[:2], spoil: func(r []byte) []byte { return append(r, r...) }, want: bad, proofs: 1},
		{name: "signature cut off", file: line, signers: all[:2], spoil: func(r []byte) []byte { return r[:len(r)-3] }, want: bad, proofs: 1},
		{name: "nonsense", file: line, signers: all[:2], spoil: func([]byte) []byte { return wire.AppendString(nil, []byte("x")) }, want: bad, proofs: 1},
		{name: "no reply", file: line, signers: all[:2], spoil: func([]byte) []byte { return nil }, want: bad, proofs: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.file)
			tt.opts.UserFiles = []string{file, filepath.Join(t.TempDir(), "missing")}
			if tt.opts.UpdateHostKeys == 0 {
				tt.opts.UpdateHostKeys = UpdateYes
			} else {
				tt.opts.UpdateHostKeys = UpdateNo
			}
			if tt.target.Host == "" {
				tt.target.Host = "a"
			}
			c, w := checker(tt.opts)
			v := c.Verifier(t.Context(), tt.target)
			if err := v.Callback("", nil, key); err != nil {
				t.Fatal(err)
			}
			before := read(t, file)
			w.events = nil
			server := &rotating{signers: tt.signers, algorithm: tt.sign, sessionID: []byte("session"), spoil: tt.spoil}
			if tt.session != "" {
				server.sessionID = []byte(tt.session)
			}
			if tt.algs == nil {
				tt.algs = allAlgorithms()
			}
			err := c.Update(t.Context(), v, UpdateRequest{
				Payload: server.payload(), SessionID: []byte("session"), Algorithms: tt.algs,
				HostKeyAlgorithm: tt.kex, Prove: server.prove,
			})
			switch tt.want {
			case "error", bad:
				if err == nil || errors.Is(err, ErrBadProof) != (tt.want == bad) {
					t.Errorf("error = %v", err)
				}
				tt.want = before
			case "":
				tt.want = before
				fallthrough
			default:
				if err != nil {
					t.Errorf("error = %v", err)
				}
			}
			if got := read(t, file); got != tt.want {
				t.Errorf("file: %s", shortDiff(got, tt.want))
			}
			if server.proofs != tt.proofs || w.names() != tt.events {
				t.Errorf("%d proofs, events %q; want %d, %q", server.proofs, w.names(), tt.proofs, tt.events)
			}
		})
	}
}

func TestUpdateAsks(t *testing.T) {
	cur, add, gone := newSigner(t, "ed25519"), newSigner(t, "ed25519"), newKey(t, "ed25519")
	for _, answer := range []bool{false, true} {
		file := write(t, entryLine("a", cur.PublicKey())+entryLine("a", gone))
		c, w := checker(Options{UserFiles: []string{file}, UpdateHostKeys: UpdateAsk})
		w.answer = answer
		v := c.Verifier(t.Context(), Target{Host: "a"})
		if err := v.Callback("", nil, cur.PublicKey()); err != nil {
			t.Fatal(err)
		}
		server := &rotating{signers: []ssh.Signer{cur, add}, sessionID: []byte("s")}
		r := UpdateRequest{Payload: server.payload(), SessionID: []byte("s"), Algorithms: allAlgorithms(), Prove: server.prove}
		if err := c.Update(t.Context(), v, r); err != nil {
			t.Fatal(err)
		}
		q := w.questions[0].(UpdateQuestion)
		if q.Host != "a" || len(q.Learned) != 1 || !sshkey.Same(q.Learned[0], add.PublicKey()) || len(q.Removed) != 1 || !sshkey.Same(q.Removed[0], gone) {
			t.Errorf("question %+v", q)
		}
		if changed := strings.Contains(read(t, file), keyText(add.PublicKey())); changed != answer {
			t.Errorf("answer %v, changed %v", answer, changed)
		}
		if learned := slices.ContainsFunc(v.Accepted(), func(k ssh.PublicKey) bool { return sshkey.Same(k, add.PublicKey()) }); learned != answer {
			t.Errorf("answer %v, accepted %v", answer, learned)
		}
		if err := c.Update(t.Context(), v, r); !errors.Is(err, ErrHostKeysRepeated) {
			t.Errorf("second announcement: %v", err)
		}
	}
}

func TestUpdateHashed(t *testing.T) {
	cur, add := newSigner(t, "ed25519"), newSigner(t, "ed25519")
	file := write(t, "")
	c, w := checker(Options{UserFiles: []string{file}, UpdateHostKeys: UpdateYes, HashKnownHosts: true, CheckHostIP: true})
	w.answer = true
	v := c.Verifier(t.Context(), Target{Host: "a", Addr: addr("192.0.2.1")})
	if err := v.Callback("", nil, cur.PublicKey()); err != nil {
		t.Fatal(err)
	}
	server := &rotating{signers: []ssh.Signer{cur, add}}
	if err := c.Update(t.Context(), v, UpdateRequest{Payload: server.payload(), Algorithms: allAlgorithms(), Prove: server.prove}); err != nil {
		t.Fatal(err)
	}
	if text := read(t, file); strings.Count(text, "\n") != 4 || strings.Count(text, "|1|") != 4 {
		t.Errorf("want four hashed lines:\n%s", text)
	}
	for _, name := range []string{"a", "192.0.2.1"} {
		if n := len(c.Lookup(name)); n != 2 {
			t.Errorf("%s has %d keys", name, n)
		}
	}
}

// A key that is in the second file stays there and is not doubled.
func TestUpdateSeveralFiles(t *testing.T) {
	cur, add, gone := newSigner(t, "ed25519"), newSigner(t, "ed25519"), newKey(t, "ed25519")
	first, second := write(t, "# first\n"), write(t, entryLine("a", cur.PublicKey())+entryLine("a", gone))
	c, _ := checker(Options{UserFiles: []string{first, second}, UpdateHostKeys: UpdateYes})
	v := c.Verifier(t.Context(), Target{Host: "a"})
	if err := v.Callback("", nil, cur.PublicKey()); err != nil {
		t.Fatal(err)
	}
	server := &rotating{signers: []ssh.Signer{cur, add}}
	if err := c.Update(t.Context(), v, UpdateRequest{Payload: server.payload(), Algorithms: allAlgorithms(), Prove: server.prove}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, first), "# first\n"+entryLine("a", add.PublicKey()); got != want {
		t.Errorf("first file: %s", shortDiff(got, want))
	}
	if got, want := read(t, second), entryLine("a", cur.PublicKey()); got != want {
		t.Errorf("second file: %s", shortDiff(got, want))
	}
}

func TestUpdateProveFails(t *testing.T) {
	cur, add := newSigner(t, "ed25519"), newSigner(t, "ed25519")
	file := write(t, entryLine("a", cur.PublicKey()))
	c, _ := checker(Options{UserFiles: []string{file}, UpdateHostKeys: UpdateYes})
	v := c.Verifier(t.Context(), Target{Host: "a"})
	server := &rotating{signers: []ssh.Signer{cur, add}}
	refused := errors.New("request failed")
	r := UpdateRequest{Payload: server.payload(), Algorithms: allAlgorithms(), Prove: func(context.Context, []byte) ([]byte, error) { return nil, refused }}
	if err := c.Update(t.Context(), v, r); err != nil {
		t.Errorf("before any key exchange: %v", err)
	}
	v = c.Verifier(t.Context(), Target{Host: "a"})
	if err := v.Callback("", nil, cur.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if err := c.Update(t.Context(), v, r); !errors.Is(err, refused) {
		t.Errorf("error = %v", err)
	}
	if got := read(t, file); got != entryLine("a", cur.PublicKey()) {
		t.Errorf("file: %s", got)
	}
}

func TestAnnouncedKeys(t *testing.T) {
	key := newKey(t, "ed25519")
	cert := certify(t, key, newSigner(t, "ed25519"), nil, "a")
	c := NewChecker(Options{})
	future := wire.AppendString(nil, wire.AppendString(nil, []byte("ssh-future")))
	blob := wire.AppendString(nil, key.Marshal())
	var many []byte
	for range maxAnnounced {
		many = wire.AppendString(many, newKey(t, "ed25519").Marshal())
	}
	for _, tt := range []struct {
		name    string
		payload []byte
		n       int
		ok      bool
	}{
		{"nothing", nil, 0, true},
		{"one", blob, 1, true},
		{"unknown type is left out", append(future, blob...), 1, true},
		{"certificate is left out", append(wire.AppendString(nil, cert.Marshal()), blob...), 1, true},
		{"empty blob", append(wire.AppendString(nil, ""), blob...), 1, true},
		{"truncated", blob[:len(blob)-1], 0, false},
		{"half a length", append(blob[:len(blob):len(blob)], 0, 0), 0, false},
		{"a key twice", append(blob[:len(blob):len(blob)], blob...), 0, false},
		{"as many as may be", many, maxAnnounced, true},
		{"one more", append(many[:len(many):len(many)], blob...), 0, false},
		{"one more of unknown type", append(many[:len(many):len(many)], future...), 0, false},
		{"thousands", bytes.Repeat(future, 10000), 0, false},
		{"huge length", []byte{0xff, 0xff, 0xff, 0xff, 1}, 0, false},
	} {
		algorithms := append(allAlgorithms(), ssh.CertAlgoED25519v01)
		keys, err := c.announcedKeys(tt.payload, algorithms)
		if len(keys) != tt.n || (err == nil) != tt.ok {
			t.Errorf("%s: %d keys, %v; want %d, ok %v", tt.name, len(keys), err, tt.n, tt.ok)
		}
	}
}

func FuzzHostKeys(f *testing.F) {
	key := newKey(f, "ed25519")
	f.Add(wire.AppendString(nil, key.Marshal()), []byte{0, 0, 0, 1, 2})
	s := newSigner(f, "ed25519")
	sig, err := s.Sign(rand.Reader, []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.AppendString(nil, s.PublicKey().Marshal()), wire.AppendString(nil, ssh.Marshal(sig)))
	c := NewChecker(Options{})
	f.Fuzz(func(t *testing.T, payload, reply []byte) {
		keys, err := c.announcedKeys(payload, allAlgorithms())
		if err != nil {
			return
		}
		p := &updatePlan{keys: keys}
		p.provePayload()
		if p.checkProofs(reply, []byte("session"), "") == nil && len(keys) > 0 {
			for _, k := range p.keys {
				if !k.proven {
					t.Errorf("an unproven %s key was let through", k.key.Type())
				}
			}
		}
	})
}
