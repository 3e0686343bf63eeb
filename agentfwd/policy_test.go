package agentfwd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/internal/wire"
)

// useLog keeps the uses it is told of.
type useLog struct {
	mu   sync.Mutex
	uses []Use
}

func (l *useLog) log(use Use) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses = append(l.uses, use)
}

// take returns op and outcome of each use so far, and forgets them.
func (l *useLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, use := range l.uses {
		out = append(out, use.Op+" "+use.Outcome.String())
	}
	l.uses = nil
	return out
}

// comments returns what a remote host sees listed.
func comments(t testing.TB, remote agent.Agent) []string {
	t.Helper()
	keys, err := remote.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, key := range keys {
		out = append(out, key.Comment)
	}
	return out
}

func keySet(t testing.TB, specs ...string) *KeySet {
	t.Helper()
	set, err := NewKeySet(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestPolicyKeys(t *testing.T) {
	keyring := agent.NewKeyring()
	pubs := addKeys(t, keyring, "deploy", "private", "third")
	socket := keyringAgent(t, keyring)
	tests := []struct {
		name string
		keys *KeySet
		want []string
	}{
		{"all", nil, []string{"deploy", "private", "third"}},
		{"none", keySet(t), nil},
		{"zero value", &KeySet{}, nil},
		{"comment", keySet(t, "deploy"), []string{"deploy"}},
		{"fingerprints", keySet(t, ssh.FingerprintSHA256(pubs[0]), "MD5:"+ssh.FingerprintLegacyMD5(pubs[2])), []string{"deploy", "third"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := &useLog{}
			h := newHop(t, ForwarderConfig{Source: at(socket), Policy: &Policy{Keys: test.keys, Log: log.log}}, false)
			ch := h.open(t)
			// A signature asked for before any list: the policy must look itself.
			for i, comment := range []string{"deploy", "private", "third"} {
				reply := ask(t, ch, signRequest{KeyBlob: pubs[i].Marshal(), Data: []byte("x")}.marshal())
				want, outcome := byte(msgFailure), "sign denied"
				if slices.Contains(test.want, comment) {
					want, outcome = msgSignResponse, "sign done"
				}
				if got := log.take(); reply[0] != want || !slices.Equal(got, []string{outcome}) {
					t.Errorf("%s: reply %d, log %q", comment, reply[0], got)
				}
			}
			ids, err := parseIdentities(ask(t, ch, []byte{msgRequestIdentities}))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, id := range ids {
				got = append(got, id.Comment)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("listed %q, want %q", got, test.want)
			}
		})
	}
}

func TestPolicyLearnsOfNewKeys(t *testing.T) {
	keyring := agent.NewKeyring()
	h := newHop(t, ForwarderConfig{Source: at(keyringAgent(t, keyring)), Policy: &Policy{Keys: keySet(t, "late")}}, false)
	remote := agent.NewClient(h.open(t))
	if got := comments(t, remote); got != nil {
		t.Errorf("listed %q", got)
	}
	pub := addKeys(t, keyring, "late")[0]
	if _, err := remote.Sign(pub, []byte("x")); err != nil {
		t.Errorf("a key added since the list: %v", err)
	}
}

func TestKeySetCertificates(t *testing.T) {
	signer := newSigner(t, "ed25519")
	key := newIdentity(signer.PublicKey().Marshal(), "c")
	cert := newIdentity(certify(t, signer, ssh.UserCert, "me").PublicKey().Marshal(), "c")
	other := newIdentity(certify(t, signer, ssh.UserCert, "you").PublicKey().Marshal(), "c")
	stranger := newIdentity(newSigner(t, "ed25519").PublicKey().Marshal(), "d")
	dir := t.TempDir()
	file := func(name string, id Identity) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(id.Key), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, spec       string
		key, cert, other bool
	}{
		{"fingerprint", key.Fingerprint(), true, true, true},
		{"padded fingerprint", key.Fingerprint() + "=", true, true, true},
		{"MD5 in capitals", strings.ToUpper(key.fingerprintMD5()), true, true, true},
		{"key file", file("id.pub", key), true, true, true},
		{"certificate file", file("id-cert.pub", cert), false, true, false},
		{"comment", "c", true, true, true},
	}
	for _, test := range tests {
		set := keySet(t, test.spec)
		if set.Contains(key) != test.key || set.Contains(cert) != test.cert || set.Contains(other) != test.other || set.Contains(stranger) {
			t.Errorf("%s: key %v, certificate %v, another %v, stranger %v", test.name,
				set.Contains(key), set.Contains(cert), set.Contains(other), set.Contains(stranger))
		}
	}
	for _, bad := range []string{"", "SHA256:", "SHA256:short", "MD5:00:11", "MD5:" + strings.Repeat("zz:", 15) + "zz", filepath.Join(dir, "missing.pub")} {
		if _, err := NewKeySet(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if (*KeySet)(nil).Contains(key) {
		t.Error("a nil set holds a key")
	}
}

func TestPolicyRefusesTheRest(t *testing.T) {
	remove := func(pub ssh.PublicKey) []byte { return wire.AppendString([]byte{msgRemoveIdentity}, pub.Marshal()) }
	keyring := agent.NewKeyring()
	pubs := addKeys(t, keyring, "seen", "hidden")
	all := Policy{AllowAdd: true, AllowRemove: true, AllowLock: true, AllowExtensions: []string{"query"}}
	hiding := all
	hiding.Keys = keySet(t, "seen")
	tests := []struct {
		name     string
		msg      []byte
		op       string
		allowed  bool // with everything allowed
		narrowed bool // with one key seen besides
	}{
		{"add", []byte{msgAddIdentity, 1}, "add", true, true},
		{"add constrained", []byte{msgAddConstrained, 1}, "add", true, true},
		{"remove", remove(pubs[0]), "remove", true, true},
		{"remove a hidden key", remove(pubs[1]), "remove", true, false},
		{"remove nothing", []byte{msgRemoveIdentity}, "remove", false, false},
		{"remove all", []byte{msgRemoveAll}, "remove-all", true, false},
		{"lock", []byte{msgLock, 0, 0, 0, 0}, "lock", true, true},
		{"unlock", []byte{msgUnlock, 0, 0, 0, 0}, "unlock", true, true},
		{"smartcard", []byte{msgAddSmartcard}, "smartcard", false, false},
		{"smartcard constrained", []byte{msgAddSmartcardConstr}, "smartcard", false, false},
		{"remove smartcard", []byte{msgRemoveSmartcard}, "smartcard", false, false},
		{"query", wire.AppendString([]byte{msgExtension}, "query"), "extension", true, true},
		{"other extension", wire.AppendString([]byte{msgExtension}, "x@example.com"), "extension", false, false},
		{"broken extension", []byte{msgExtension, 0, 0, 0, 9}, "extension", false, false},
		{"protocol 1", []byte{1}, "unknown", false, false},
		{"unheard of", []byte{240}, "unknown", false, false},
		{"broken signature request", []byte{msgSignRequest, 1}, "sign", false, false},
	}
	list := marshalIdentities([]Identity{{Blob: pubs[0].Marshal(), Comment: "seen"}, {Blob: pubs[1].Marshal(), Comment: "hidden"}})
	for _, test := range tests {
		for i, policy := range []Policy{{}, all, hiding} {
			t.Run(fmt.Sprint(test.name, " ", i), func(t *testing.T) {
				log := &useLog{}
				policy.Log = log.log
				fake := &fakeAgent{answer: func(_, _ int, msg []byte) []byte {
					if msg[0] == msgRequestIdentities {
						return list
					}
					return []byte{msgSuccess}
				}}
				h := newHop(t, ForwarderConfig{Source: at(fake.listen(t)), Policy: &policy}, true)
				reply := ask(t, h.open(t), test.msg)
				want, outcome := byte(msgFailure), test.op+" denied"
				allowed := []bool{false, test.allowed, test.narrowed}[i]
				if allowed {
					want, outcome = msgSuccess, test.op+" done"
				}
				if got := log.take(); reply[0] != want || !slices.Equal(got, []string{outcome}) {
					t.Errorf("reply %d, log %q", reply[0], got)
				}
				reached := slices.ContainsFunc(fake.messages(), func(msg []byte) bool { return string(msg) == string(test.msg) })
				if reached != allowed {
					t.Errorf("reached the agent: %v", reached)
				}
			})
		}
	}
}

func TestPolicyConfirm(t *testing.T) {
	keyring := agent.NewKeyring()
	pubs := addKeys(t, keyring, "yes", "no", "error")
	var asking atomic.Int32
	log := &useLog{}
	policy := &Policy{
		Log: log.log,
		Confirm: func(_ context.Context, use Use) (bool, error) {
			if asking.Add(1) != 1 {
				t.Error("two questions at a time")
			}
			defer asking.Add(-1)
			if use.Host != "web-1" || use.Op != "sign" || use.Outcome != OutcomePending || use.Data.User != "me" || time.Since(use.Time) > time.Minute {
				t.Errorf("asked of %+v", use)
			}
			if use.Key.Comment == "error" {
				return true, errors.New("no terminal")
			}
			return use.Key.Comment == "yes", nil
		},
	}
	h := newHop(t, ForwarderConfig{Source: at(keyringAgent(t, keyring)), Host: "web-1", Policy: policy}, false)
	var wg sync.WaitGroup
	for range 10 {
		ch := h.open(t)
		wg.Go(func() {
			for i, want := range []byte{msgSignResponse, msgFailure, msgFailure} {
				data := userAuth([]byte("id"), "me", methodPublicKey, pubs[i].Marshal(), nil)
				if reply := ask(t, ch, signRequest{KeyBlob: pubs[i].Marshal(), Data: data}.marshal()); reply[0] != want {
					t.Errorf("key %d: reply %d", i, reply[0])
				}
			}
		})
	}
	wg.Wait()
	got := log.take()
	slices.Sort(got)
	if want := append(slices.Repeat([]string{"sign declined"}, 20), slices.Repeat([]string{"sign done"}, 10)...); !slices.Equal(got, want) {
		t.Errorf("log %q", got)
	}
}

// userAuth makes the data that a login signs.
func userAuth(sessionID []byte, user, method string, key, hostKey []byte) []byte {
	b := wire.AppendString(nil, sessionID)
	b = append(b, msgUserAuthRequest)
	b = wire.AppendString(b, user)
	b = wire.AppendString(b, "ssh-connection")
	b = wire.AppendString(b, method)
	b = wire.AppendBool(b, true)
	b = wire.AppendString(b, "ssh-ed25519")
	b = wire.AppendString(b, key)
	if hostKey != nil {
		b = wire.AppendString(b, hostKey)
	}
	return b
}

// sshsig makes the data that ssh-keygen -Y sign signs.
func sshsig(fields ...string) []byte {
	b := []byte(sshsigMagic)
	for _, s := range fields {
		b = wire.AppendString(b, s)
	}
	return b
}

func TestParseSignedData(t *testing.T) {
	key := newSigner(t, "ed25519").PublicKey().Marshal()
	host := newSigner(t, "ed25519").PublicKey()
	bound := userAuth([]byte("id"), "me", methodHostBound, key, host.Marshal())
	plain := userAuth([]byte("id"), "me", methodPublicKey, key, nil)
	file := sshsig("file", "", "sha512", "hash")
	d := ParseSignedData(bound, key)
	if d.Purpose != PurposeUserAuth || d.User != "me" || d.Service != "ssh-connection" || d.Method != methodHostBound ||
		string(d.SessionID) != "id" || string(d.HostKey.Marshal()) != string(host.Marshal()) {
		t.Errorf("hostbound: %+v", d)
	}
	if d := ParseSignedData(plain, key); d.Purpose != PurposeUserAuth || d.User != "me" || d.HostKey != nil {
		t.Errorf("publickey: %+v", d)
	}
	if d := ParseSignedData(file, key); d.Purpose != PurposeSSHSig || d.Namespace != "file" || d.HashAlgorithm != "sha512" {
		t.Errorf("sshsig: %+v", d)
	}
	unknown := map[string][]byte{
		"nothing":               nil,
		"text":                  []byte("please sign"),
		"other key":             userAuth([]byte("id"), "me", methodPublicKey, []byte("other"), nil),
		"hostbased":             userAuth([]byte("id"), "me", "hostbased", key, nil),
		"no session id":         userAuth(nil, "me", methodPublicKey, key, nil),
		"hostbound without key": userAuth([]byte("id"), "me", methodHostBound, key, nil),
		"hostbound, odd key":    userAuth([]byte("id"), "me", methodHostBound, key, []byte("odd")),
		"publickey, more after": userAuth([]byte("id"), "me", methodPublicKey, key, []byte("more")),
		"sshsig, more after":    sshsig("file", "", "sha512", "hash", "more"),
	}
	for _, whole := range [][]byte{bound, plain, file} {
		for n := range whole {
			unknown[fmt.Sprintf("first %d of %d", n, len(whole))] = whole[:n]
		}
	}
	for name, data := range unknown {
		if d := ParseSignedData(data, key); d.Purpose != PurposeUnknown || d.User != "" || d.HostKey != nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestLoginIsNamedByItsSessionBind(t *testing.T) {
	keyring := agent.NewKeyring()
	pub := addKeys(t, keyring, "key")[0]
	log := &useLog{}
	fake := &fakeAgent{answer: func(_, _ int, msg []byte) []byte {
		if msg[0] == msgRequestIdentities {
			return marshalIdentities([]Identity{{Blob: pub.Marshal(), Comment: "key"}})
		}
		return []byte{msgSuccess}
	}}
	h := newHop(t, ForwarderConfig{Source: at(fake.listen(t)), Policy: &Policy{Log: log.log}}, false)
	ch := h.open(t)
	next := newSigner(t, "ed25519")
	sessionID := []byte("session of the next hop")
	for _, honest := range []bool{false, true} {
		signed := sessionID
		if !honest {
			signed = []byte("something else")
		}
		sig, err := next.Sign(rand.Reader, signed)
		if err != nil {
			t.Fatal(err)
		}
		ask(t, ch, sessionBind{HostKey: next.PublicKey().Marshal(), SessionID: sessionID, Signature: ssh.Marshal(sig)}.marshal())
		ask(t, ch, signRequest{KeyBlob: pub.Marshal(), Data: userAuth(sessionID, "me", methodPublicKey, pub.Marshal(), nil)}.marshal())
		got := log.uses[len(log.uses)-1].Data.HostKey
		if (got != nil) != honest {
			t.Errorf("honest %v: host key %v", honest, got)
		}
	}
}

func TestUsageLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "uses")
	if err := os.WriteFile(path, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := OpenUsageLog(path)
	if err != nil {
		t.Fatal(err)
	}
	signer := newSigner(t, "ed25519")
	key := newIdentity(signer.PublicKey().Marshal(), "evil\n\x1b[31m\u202ecomment\"")
	use := Use{
		Time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Host: "web 1", Op: "sign", Outcome: OutcomeDone, Key: key,
		Data: SignedData{Purpose: PurposeUserAuth, User: "me\r", Service: "ssh-connection", HostKey: signer.PublicKey()},
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { log.Log(use) })
	}
	wg.Wait()
	log.Log(Use{Op: "extension", Detail: "x\n", Outcome: OutcomeDenied, Err: errNotAllowed})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fp := ssh.FingerprintSHA256(signer.PublicKey())
	line := `2024-05-06T07:08:09Z host="web 1" op=sign outcome=done key=` + fp + ` type="ssh-ed25519"` +
		` comment="evil\n\x1b[31m\u202ecomment\"" purpose=userauth user="me\r" service="ssh-connection" hostkey=` + fp + "\n"
	want := "before\n" + strings.Repeat(line, 20) +
		`0001-01-01T00:00:00Z host="" op=extension outcome=denied detail="x\n" error="not allowed by policy"` + "\n"
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if runtime.GOOS == "windows" {
		return // no modes, and links only for administrators
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUsageLog(link); err == nil {
		t.Error("a link is followed")
	}
}

// TestPolicyLogOnly: a Policy that only logs passes every message as it is, as
// no Policy does.
func TestPolicyLogOnly(t *testing.T) {
	answer := func(_, _ int, msg []byte) []byte {
		if msg[0] == msgRequestIdentities {
			return marshalIdentities(nil)
		}
		return append([]byte{msgSuccess}, msg...)
	}
	messages := [][]byte{
		signRequest{KeyBlob: []byte("key"), Data: []byte("data")}.marshal(),
		append(signRequest{KeyBlob: []byte("key"), Data: []byte("data")}.marshal(), "trailing"...),
		{msgSignRequest},
		wire.AppendString([]byte{msgAddIdentity}, "key"),
		wire.AppendString([]byte{msgAddConstrained}, "key"),
		wire.AppendString([]byte{msgRemoveIdentity}, "key"),
		{msgRemoveIdentity},
		{msgRemoveAll},
		wire.AppendString([]byte{msgLock}, "secret"),
		wire.AppendString([]byte{msgUnlock}, "secret"),
		wire.AppendString([]byte{msgAddSmartcard}, "library"),
		wire.AppendString([]byte{msgRemoveSmartcard}, "library"),
		wire.AppendString([]byte{msgAddSmartcardConstr}, "library"),
		wire.AppendString([]byte{msgExtension}, "query"),
		wire.AppendString([]byte{msgExtension}, "a@example.com"),
		{msgExtension},
		{200, 1, 2, 3},
		{msgRequestIdentities},
	}
	log := &useLog{}
	for _, policy := range []*Policy{nil, {AllowAll: true, Log: log.log}} {
		fake := &fakeAgent{answer: answer}
		h := newHop(t, ForwarderConfig{Source: at(fake.listen(t)), Policy: policy}, false)
		ch := h.open(t)
		for _, msg := range messages {
			if got, want := ask(t, ch, msg), answer(0, 0, msg); string(got) != string(want) {
				t.Errorf("policy %v, message %v: reply %v", policy != nil, msg, got)
			}
		}
	}
	if got := log.take(); len(got) != len(messages)-1 {
		t.Errorf("logged %q", got)
	}
}
