package agentfwd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// kexPacket makes a packet as it is before NEWKEYS.
func kexPacket(payload []byte) []byte {
	const padding = 8
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	b = append(b, padding)
	b = append(b, payload...)
	return append(b, make([]byte, padding)...)
}

// kexReply makes the payload of a reply.
func kexReply(kind byte, fields ...string) []byte {
	b := []byte{kind}
	for _, s := range fields {
		b = wire.AppendString(b, s)
	}
	return b
}

func TestKexParser(t *testing.T) {
	const version = "SSH-2.0-test\r\n"
	init := string(kexPacket(append([]byte{20}, make([]byte, 900)...)))
	reply := string(kexPacket(kexReply(31, "host", "exchange", "sig")))
	newKeys := string(kexPacket([]byte{21}))
	group := string(kexPacket(kexReply(31, "prime", "generator")))
	gex := string(kexPacket(kexReply(33, "host", "exchange", "sig")))
	tests := []struct {
		name, in string
		found    bool
		over     bool
	}{
		{"plain", version + init + reply + newKeys, true, true},
		{"newline alone", "SSH-2.0-test\n" + init + reply + newKeys, true, true},
		{"lines before", "Welcome\r\n\r\nSSH\nxSSH-2.0-no\n" + version + init + reply + newKeys, true, true},
		{"group exchange", version + init + group + gex + newKeys, true, true},
		{"group alone", version + init + group, false, false},
		{"ignore and debug between", version + string(kexPacket([]byte{2, 0, 0, 0, 0})) + init + string(kexPacket([]byte{4})) + reply + newKeys, true, true},
		{"encrypted after", version + init + reply + newKeys + "\xff\xff\xff\xff" + reply, true, true},
		{"reply after NEWKEYS", version + init + newKeys + reply, false, true},
		{"four strings", version + string(kexPacket(kexReply(31, "a", "b", "c", "d"))), false, false},
		{"empty reply", version + string(kexPacket([]byte{31})) + reply, true, false},
		{"too long", version + "\x00\x04\x00\x01\x04\x1f" + reply, false, true},
		{"padding beyond the packet", version + "\x00\x00\x00\x05\x04\x1f" + reply, false, true},
		{"no payload", version + "\x00\x00\x00\x00\x00\x00" + reply, false, true},
		{"cut short", version + init + reply[:len(reply)-9], false, false},
		{"no version", "HTTP/1.1 400 Bad Request\r\n\r\n", false, false},
		{"nothing", "", false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 64, 1 << 20} {
				var p kexParser
				for in := []byte(test.in); len(in) > 0; {
					n := min(size, len(in))
					p.feed(in[:n])
					in = in[n:]
				}
				found := string(p.hostKey) == "host" && string(p.signature) == "sig"
				if found != test.found || (p.state == kexOver) != test.over {
					t.Errorf("in pieces of %d: found %v, over %v", size, found, p.state == kexOver)
				}
			}
		})
	}
}

func TestKexParserHoldsLittle(t *testing.T) {
	var p kexParser
	p.feed(bytes.Repeat([]byte("endless line "), 1<<16))
	p.feed([]byte("\nSSH-2.0-x\n"))
	for range 1000 {
		p.feed(kexPacket(append([]byte{20}, make([]byte, 1<<15)...)))
	}
	if held := cap(p.start) + cap(p.header) + cap(p.payload); held > 64 {
		t.Errorf("%d bytes held", held)
	}
}

// readConn is a net.Conn of which only Read works.
type readConn struct {
	net.Conn
	r io.Reader
}

func (c *readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func TestKexObserverPassesDataThrough(t *testing.T) {
	in := make([]byte, 1<<16)
	rand.Read(in)
	copy(in, "SSH-2.0-x\n")
	o := ObserveKex(&readConn{r: iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(in)))})
	out, err := io.ReadAll(o)
	if err != nil || !bytes.Equal(out, in) {
		t.Errorf("got %d bytes of %d, equal %v, error %v", len(out), len(in), bytes.Equal(out, in), err)
	}
}

func TestKexObserverCostsNothingAfterwards(t *testing.T) {
	o := ObserveKex(&readConn{r: zeroReader{}})
	o.observe([]byte("SSH-2.0-x\n"))
	o.observe(kexPacket([]byte{msgNewKeys}))
	if !o.over.Load() {
		t.Fatal("not over after NEWKEYS")
	}
	buf := make([]byte, 1<<10)
	if n := testing.AllocsPerRun(100, func() { o.Read(buf) }); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

// newSigner makes a key of that type, or fails.
func newSigner(t testing.TB, kind string) ssh.Signer {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// certify makes a certificate signer of a key, for a host or a user.
func certify(t testing.TB, signer ssh.Signer, kind uint32, principal string) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key:             signer.PublicKey(),
		CertType:        kind,
		ValidPrincipals: []string{principal},
		ValidBefore:     ssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, newSigner(t, "ed25519")); err != nil {
		t.Fatal(err)
	}
	out, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// socketPair returns two ends of a TCP connection on the loopback.
func socketPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		client.Close()
		t.Fatal(err)
	}
	return client, server
}

func TestKexObserverWithEveryKeyExchange(t *testing.T) {
	ed, ec, rs := newSigner(t, "ed25519"), newSigner(t, "ecdsa"), newSigner(t, "rsa")
	hostKeys := map[string]ssh.Signer{
		"ed25519": ed, "ecdsa": ec, "rsa": rs,
		"ed25519 certificate": certify(t, ed, ssh.HostCert, "host"),
		"rsa certificate":     certify(t, rs, ssh.HostCert, "host"),
	}
	supported := ssh.SupportedAlgorithms()
	for _, kex := range supported.KeyExchanges {
		for name, hostKey := range hostKeys {
			if name != "ed25519" && kex != "curve25519-sha256" {
				continue
			}
			t.Run(kex+" "+name, func(t *testing.T) {
				testKexObserver(t, kex, hostKey)
			})
		}
	}
}

func testKexObserver(t *testing.T, kex string, hostKey ssh.Signer) {
	near, far := socketPair(t)
	defer near.Close()
	defer far.Close()
	serverConfig := &ssh.ServerConfig{NoClientAuth: true}
	serverConfig.AddHostKey(hostKey)
	serverConfig.KeyExchanges = []string{kex}
	serverDone := make(chan struct{})
	go func() { // ends with the handshake, or with far
		defer close(serverDone)
		io.WriteString(far, "a line before the version\r\n")
		if conn, _, reqs, err := ssh.NewServerConn(far, serverConfig); err == nil {
			go ssh.DiscardRequests(reqs)
			conn.Wait()
		}
	}()
	observer := ObserveKex(near)
	if _, err := observer.Binding([]byte("early")); !errors.Is(err, ErrNoBinding) {
		t.Errorf("before the key exchange: error %v", err)
	}
	config := &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey())}
	config.KeyExchanges = []string{kex}
	conn, chans, reqs, err := ssh.NewClientConn(observer, "host", config)
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(conn, chans, reqs)
	binding, err := observer.Binding(conn.SessionID())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(binding.HostKey.Marshal(), hostKey.PublicKey().Marshal()) {
		t.Errorf("host key %s", binding.HostKey.Type())
	}
	if _, err := observer.Binding(append([]byte("x"), conn.SessionID()...)); !errors.Is(err, ErrNoBinding) {
		t.Errorf("of another session: error %v", err)
	}
	if !observer.over.Load() || observer.parser.payload != nil {
		t.Error("still looking after the key exchange")
	}
	client.Close()
	<-serverDone
}

func FuzzKexParser(f *testing.F) {
	f.Add([]byte("hello\nSSH-2.0-x\r\n"+string(kexPacket(kexReply(31, "a", "b", "c")))), uint8(3))
	f.Add([]byte("SSH-\n\x00\x00\x00\x05\x04\x1f"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var whole, pieces kexParser
		whole.feed(in)
		for rest := in; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			pieces.feed(rest[:n])
			rest = rest[n:]
		}
		if whole.state != pieces.state || !bytes.Equal(whole.hostKey, pieces.hostKey) || !bytes.Equal(whole.signature, pieces.signature) {
			t.Errorf("whole: state %d, %x; in pieces of %d: state %d, %x", whole.state, whole.hostKey, int(size)+1, pieces.state, pieces.hostKey)
		}
		if len(whole.payload) > len(in) || whole.want > maxKexPacket {
			t.Errorf("holds %d bytes, wants %d", len(whole.payload), whole.want)
		}
	})
}

// TestServerKexAlgorithms: the first list of the server's first KEXINIT is kept.
func TestServerKexAlgorithms(t *testing.T) {
	packet := func(payload []byte) []byte {
		p := append([]byte{0, 0, 0, byte(len(payload) + 1 + 4), 4}, payload...)
		return append(p, 0, 0, 0, 0)
	}
	init := func(list string) []byte {
		payload := append([]byte{msgKexInit}, make([]byte, 16)...)
		payload = append(payload, 0, 0, 0, byte(len(list)))
		return packet(append(payload, list...))
	}
	for name, tt := range map[string]struct {
		stream []byte
		want   string
	}{
		"two methods":  {init("sntrup761x25519-sha512,curve25519-sha256"), "[sntrup761x25519-sha512 curve25519-sha256]"},
		"the first":    {append(init("a"), init("b")...), "[a]"},
		"none":         {init(""), "[]"},
		"no cookie":    {packet([]byte{msgKexInit, 1, 2, 3}), "[]"},
		"a long list":  {packet(append(append([]byte{msgKexInit}, make([]byte, 16)...), 0xff, 0xff, 0xff, 0xff, 'a')), "[]"},
		"after a stop": {append(packet([]byte{msgNewKeys}), init("a")...), "[]"},
	} {
		var o KexObserver
		o.parser.feed([]byte("SSH-2.0-x\r\n"))
		for _, b := range tt.stream { // in the smallest pieces
			o.parser.feed([]byte{b})
		}
		if got := fmt.Sprint(o.ServerKexAlgorithms()); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
