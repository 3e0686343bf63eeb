package transport

import (
	"bytes"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// scripted is a server that sends what a test says, in plain text.
type scripted struct {
	nc  net.Conn
	in  input
	out output
}

// serveScript runs script against Client and returns Client's error.
func serveScript(t *testing.T, cfg *Config, script func(s *scripted)) error {
	t.Helper()
	nc, server := pipe(t)
	s := &scripted{nc: server, in: input{src: server, guard: plain{}},
		out: output{guard: plain{}, padding: mrand.NewChaCha8([32]byte{})}}
	var done sync.WaitGroup
	done.Go(func() {
		io.WriteString(server, "SSH-2.0-scripted\r\n")
		script(s)
		server.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, server)
	})
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := Client(nc, cfg)
	if err == nil {
		c.Close()
	}
	nc.Close()
	done.Wait()
	return err
}

func (s *scripted) send(p []byte) {
	s.out.append(p, nil)
	s.nc.Write(s.out.pending)
	s.out.pending = nil
}

// offer is a KEXINIT that agrees with acceptAny.
func offer(strict bool) *kexInitMsg {
	m := &kexInitMsg{
		KexAlgos: []string{"curve25519-sha256"}, ServerHostKeyAlgos: []string{ssh.KeyAlgoED25519},
		CiphersClientServer: []string{"aes128-ctr"}, CiphersServerClient: []string{"aes128-ctr"},
		MACsClientServer: []string{"hmac-sha2-256"}, MACsServerClient: []string{"hmac-sha2-256"},
		CompressionClientServer: []string{"none"}, CompressionServerClient: []string{"none"},
	}
	if strict {
		m.KexAlgos = append(m.KexAlgos, strictServer)
	}
	return m
}

// TestOrder sends messages where they are not allowed. The connection has to end
// before the host key is looked at.
func TestOrder(t *testing.T) {
	t.Parallel()
	ignore := []byte{msgIgnore, 0, 0, 0, 0}
	reply := ssh.Marshal(&kexReply31Msg{})
	for _, test := range []struct {
		name string
		send [][]byte
	}{
		{"strict: IGNORE before KEXINIT", [][]byte{ignore, ssh.Marshal(offer(true))}},
		{"strict: IGNORE after KEXINIT", [][]byte{ssh.Marshal(offer(true)), ignore, reply}},
		{"strict: UNIMPLEMENTED after KEXINIT", [][]byte{ssh.Marshal(offer(true)), {msgUnimplemented, 0, 0, 0, 0}, reply}},
		{"EXT_INFO before the key exchange", [][]byte{{msgExtInfo, 0, 0, 0, 0}, ssh.Marshal(offer(false))}},
		{"EXT_INFO during the key exchange", [][]byte{ssh.Marshal(offer(false)), {msgExtInfo, 0, 0, 0, 0}}},
		{"success before the key exchange", [][]byte{{52}}},
		{"success during the key exchange", [][]byte{ssh.Marshal(offer(false)), {52}}},
		{"NEWKEYS at once", [][]byte{{msgNewKeys}}},
		{"NEWKEYS in place of the reply", [][]byte{ssh.Marshal(offer(false)), {msgNewKeys}}},
		{"two KEXINITs", [][]byte{ssh.Marshal(offer(false)), ssh.Marshal(offer(false))}},
		{"service accepted", [][]byte{{msgServiceAccept, 0, 0, 0, 0}}},
		{"data", [][]byte{{94, 0, 0, 0, 0}}},
		{"an unknown message", [][]byte{{150}}},
		{"malformed KEXINIT", [][]byte{{msgKexInit, 1, 2, 3}}},
		{"malformed reply", [][]byte{ssh.Marshal(offer(false)), {msgKexReply31, 1}}},
		{"malformed DISCONNECT", [][]byte{{msgDisconnect, 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := acceptAny()
			cfg.HostKey = func(HostKey) error {
				t.Error("a host key was looked at")
				return nil
			}
			err := serveScript(t, cfg, func(s *scripted) {
				for _, p := range test.send {
					s.send(p)
				}
			})
			var bad *ProtocolError
			if !errors.As(err, &bad) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestNotStrict sends IGNORE where a server that is not strict may.
func TestNotStrict(t *testing.T) {
	t.Parallel()
	err := serveScript(t, acceptAny(), func(s *scripted) {
		s.send([]byte{msgIgnore, 0, 0, 0, 0})
		s.send(ssh.Marshal(offer(false)))
		s.send([]byte{msgIgnore, 0, 0, 0, 0})
		s.send(ssh.Marshal(&disconnectMsg{Reason: 11, Message: "bye\x1b"}))
	})
	var end *DisconnectError
	if !errors.As(err, &end) || end.Reason != 11 || end.Message != "bye\x1b" {
		t.Errorf("error %v", err)
	}
}

// TestLengths gives packets whose length field cannot be.
func TestLengths(t *testing.T) {
	t.Parallel()
	for _, length := range []uint32{0, 1, 4, 11, 13, maxPacket + 4, 1 << 31, 1<<32 - 1} {
		p := make([]byte, 64)
		p[0], p[1], p[2], p[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
		in := input{src: bytes.NewReader(p), guard: plain{}}
		_, err := in.next()
		var bad *ProtocolError
		if !errors.As(err, &bad) {
			t.Errorf("length %d: %v", length, err)
		}
		if len(in.buf) > maxReadBuffer {
			t.Errorf("length %d: a buffer of %d bytes", length, len(in.buf))
		}
	}
	for _, padding := range []byte{0, 3, 12, 255} {
		in := input{src: bytes.NewReader([]byte{0, 0, 0, 12, padding, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), guard: plain{}}
		var bad *ProtocolError
		if _, err := in.next(); !errors.As(err, &bad) {
			t.Errorf("padding %d: %v", padding, err)
		}
	}
}

// flipping flips one byte of what is read.
type flipping struct {
	net.Conn
	at, read int
}

func (f *flipping) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.at >= f.read && f.at < f.read+n {
		p[f.at-f.read] ^= 0x10
	}
	f.read += n
	return n, err
}

// counting counts what is read, up to the end of the handshake.
type counting struct {
	net.Conn
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

// TestDamage flips a byte at many places of the server's stream, for each way of
// protecting packets. Whatever is delivered has to be what was sent.
func TestDamage(t *testing.T) {
	t.Parallel()
	const payload = 700
	for _, suite := range [][2]string{
		{"aes128-gcm@openssh.com", ""}, {"chacha20-poly1305@openssh.com", ""},
		{"aes128-ctr", "hmac-sha2-256-etm@openssh.com"}, {"aes256-ctr", "hmac-sha2-512"},
		{"aes128-cbc", "hmac-sha1"},
	} {
		t.Run(suite[0]+suite[1], func(t *testing.T) {
			t.Parallel()
			cfg := acceptAny()
			cfg.KeyExchanges = []string{"curve25519-sha256"}
			cfg.Ciphers = []string{suite[0]}
			if suite[1] != "" {
				cfg.MACs = []string{suite[1]}
			}
			signer := hostSigner(t, ssh.KeyAlgoED25519)
			// damaged runs one connection and returns how many packets were good.
			damaged := func(at int) (good, handshake int, err error) {
				nc, server := pipe(t)
				defer nc.Close()
				done := make(chan struct{})
				go func() {
					defer close(done)
					sendPings(server, signer, suite, payload)
				}()
				defer func() { nc.Close(); <-done }()
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				counter := &counting{Conn: &flipping{Conn: nc, at: at}}
				c, err := Client(counter, cfg)
				if err != nil {
					return 0, 0, err
				}
				defer c.Close()
				handshake = counter.read
				if err := tryLogin(c); err != nil {
					return 0, handshake, err
				}
				for {
					p, err := c.ReadPacket()
					if err != nil {
						return good, handshake, err
					}
					if len(p) < 5+payload || !bytes.Equal(p[5:5+payload], bytes.Repeat([]byte{byte(good)}, payload)) {
						t.Errorf("wrong data: % x...", p[:8])
					}
					good++
				}
			}
			whole, handshake, err := damaged(-1)
			if whole != packetsOfPings || !errors.Is(err, io.EOF) {
				t.Fatalf("%d packets, %v", whole, err)
			}
			for i := range 24 {
				at := handshake + 200 + i*137
				good, _, err := damaged(at)
				var bad *ProtocolError
				var timeout net.Error
				if good >= whole || err == nil {
					t.Errorf("byte %d: %d packets, %v", at, good, err)
				}
				if !errors.Is(err, ErrCorrupted) && !errors.As(err, &bad) && !errors.Is(err, io.ErrUnexpectedEOF) &&
					!errors.Is(err, io.EOF) && !errors.As(err, &timeout) {
					t.Errorf("byte %d: %v", at, err)
				}
			}
		})
	}
}

// packetsOfPings is what sendPings sends after the login.
const packetsOfPings = 8

// sendPings is a server that sends messages after the login and hangs up. It is
// x/crypto's, whose global requests carry the data.
func sendPings(nc net.Conn, signer ssh.Signer, suite [2]string, payload int) {
	defer nc.Close()
	config := ssh.Config{Ciphers: []string{suite[0]}}
	if suite[1] != "" {
		config.MACs = []string{suite[1]}
	}
	sc := &ssh.ServerConfig{Config: config, NoClientAuth: true}
	sc.AddHostKey(signer)
	conn, chans, reqs, err := ssh.NewServerConn(nc, sc)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for c := range chans {
			c.Reject(ssh.Prohibited, "no")
		}
	}()
	for i := range packetsOfPings {
		// A request without a name, of which nothing but the data is looked at.
		conn.SendRequest(string(bytes.Repeat([]byte{byte(i)}, payload)), false, nil)
	}
	conn.Close()
	conn.Wait()
}

// TestPublicValues gives every method values that would make the secret
// predictable.
func TestPublicValues(t *testing.T) {
	t.Parallel()
	group := oakleyGroup(14)
	minus := func(n int64) []byte { return wire.MPIntBody(new(big.Int).Sub(group, big.NewInt(n)).Bytes()) }
	lowOrder := make([]byte, 32)
	lowOrder[0] = 1
	for name, bad := range map[string][][]byte{
		"curve25519-sha256":             {nil, make([]byte, 31), make([]byte, 33), make([]byte, 32), lowOrder},
		"mlkem768x25519-sha256":         {nil, make([]byte, 32), make([]byte, mlkem.CiphertextSize768+32), make([]byte, mlkem.CiphertextSize768+33)},
		"ecdh-sha2-nistp256":            {nil, {0}, append([]byte{4}, make([]byte, 64)...), append([]byte{2}, make([]byte, 32)...)},
		"ecdh-sha2-nistp521":            {nil, {4}, append([]byte{4}, make([]byte, 132)...)},
		"diffie-hellman-group14-sha256": {nil, {0}, {1}, {0xff}, minus(1), minus(0), minus(-1), make([]byte, 5000)},
	} {
		m := methodByName(name)
		ours, err := m.begin(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for i, public := range bad {
			if _, err := ours.shared(public); err == nil {
				t.Errorf("%s: value %d is accepted", name, i)
			}
		}
	}
	for i, g := range []struct{ p, g []byte }{
		{nil, []byte{2}},
		{wire.MPIntBody(group.Bytes()), nil},
		{wire.MPIntBody(group.Bytes()), []byte{1}},
		{wire.MPIntBody(group.Bytes()), minus(1)},
		{wire.MPIntBody(group.Bytes())[:129], []byte{2}},
		{wire.MPIntBody(new(big.Int).Lsh(group, 1).Bytes()), []byte{2}}, // even
		{group.Bytes(), []byte{2}},                                      // negative
	} {
		if _, _, err := checkGroup(g.p, g.g); err == nil {
			t.Errorf("group %d is accepted", i)
		}
	}
}

// TestHostKeySignature gives a proof that is not the one that was agreed on.
func TestHostKeySignature(t *testing.T) {
	t.Parallel()
	rsaKey, edKey := hostSigner(t, ssh.KeyAlgoRSA), hostSigner(t, ssh.KeyAlgoED25519)
	sum := []byte("the exchange hash")
	sign := func(s ssh.Signer, algorithm string, data []byte) []byte {
		sig, err := s.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		return ssh.Marshal(sig)
	}
	for _, test := range []struct {
		name      string
		algorithm string
		key       ssh.Signer
		signature []byte
		good      bool
	}{
		{"right", ssh.KeyAlgoRSASHA512, rsaKey, sign(rsaKey, ssh.KeyAlgoRSASHA512, sum), true},
		{"SHA-1", ssh.KeyAlgoRSASHA512, rsaKey, sign(rsaKey, ssh.KeyAlgoRSA, sum), false},
		{"SHA-256", ssh.KeyAlgoRSASHA512, rsaKey, sign(rsaKey, ssh.KeyAlgoRSASHA256, sum), false},
		{"a key of another type", ssh.KeyAlgoRSASHA512, edKey, sign(edKey, ssh.KeyAlgoED25519, sum), false},
		{"another hash", ssh.KeyAlgoED25519, edKey, sign(edKey, ssh.KeyAlgoED25519, []byte("x")), false},
		{"another key", ssh.KeyAlgoED25519, edKey, sign(hostSigner(t, ssh.KeyAlgoED25519), ssh.KeyAlgoED25519, sum), false},
		{"more after it", ssh.KeyAlgoED25519, edKey, append(sign(edKey, ssh.KeyAlgoED25519, sum), 0), false},
		{"nothing", ssh.KeyAlgoED25519, edKey, nil, false},
	} {
		asked := false
		c := &Conn{cfg: Config{HostKey: func(HostKey) error { asked = true; return nil }}}
		err := c.verifyHostKey(&transcript{hostKey: test.key.PublicKey().Marshal(), signature: test.signature, sum: sum}, test.algorithm)
		if (err == nil) != test.good || asked != test.good {
			t.Errorf("%s: %v, asked %t", test.name, err, asked)
		}
	}
}

// TestDeadPeer closes a connection whose peer takes and sends nothing.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	nc, server := pipe(t)
	cryptoServer(t, server, ssh.Config{})
	c, err := Client(nc, acceptAny())
	if err != nil {
		t.Fatal(err)
	}
	login(t, c)
	blocked := make(chan error, 1)
	go func() {
		for {
			// Nothing is read here, so the server's answers fill the line, and then
			// our requests do.
			if err := c.WritePacket(globalRequest(200<<10), nil); err != nil {
				blocked <- err
				return
			}
		}
	}()
	c.Rekey()
	c.Close()
	if err := <-blocked; !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// TestQueueBound has a peer that asks for ever more answers and reads none.
func TestQueueBound(t *testing.T) {
	t.Parallel()
	nc, server := pipe(t)
	cryptoServer(t, server, ssh.Config{})
	c, err := Client(nc, acceptAny())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	login(t, c)
	c.mu.Lock()
	c.exchange = new(exchange) // one that does not end
	c.mu.Unlock()
	p := globalRequest(1 << 10)
	for range 2 * maxQueued / len(p) {
		if err = c.QueuePacket(p); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooManyQueued) {
		t.Errorf("error %v", err)
	}
}

// FuzzPacket gives the reader of packets any bytes.
func FuzzPacket(f *testing.F) {
	f.Add([]byte{0, 0, 0, 12, 4, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, byte(0))
	f.Add(bytes.Repeat([]byte{0xff}, 100), byte(3))
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		suites := ciphers()
		s := suites[int(which)%len(suites)]
		tr := &transcript{hash: methodByName("curve25519-sha256").hash, secret: []byte("s"), sum: []byte("h")}
		guard, err := tr.protection(Direction{Cipher: s.name, MAC: "hmac-sha2-256"}, []byte("id"), 'B', 'D', 'F', true)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []protection{plain{}, guard} {
			in := input{src: bytes.NewReader(data), guard: g}
			for {
				p, err := in.next()
				if err != nil {
					break
				}
				if len(p) == 0 {
					t.Fatal("an empty payload")
				}
			}
			if len(in.buf) > maxReadBuffer+maxPacket {
				t.Fatalf("a buffer of %d bytes", len(in.buf))
			}
		}
	})
}

// FuzzHandshake gives the client any answer to its KEXINIT.
func FuzzHandshake(f *testing.F) {
	f.Add(ssh.Marshal(offer(true)), ssh.Marshal(&kexReply31Msg{HostKey: []byte("k"), Public: make([]byte, 32), Signature: []byte("s")}))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		out := output{guard: plain{}, padding: mrand.NewChaCha8([32]byte{})}
		for _, p := range [][]byte{first, second} {
			if len(p) > 0 && len(p) < maxPayload {
				out.append(p, nil)
			}
		}
		server := io.MultiReader(bytes.NewReader([]byte("SSH-2.0-x\r\n")), bytes.NewReader(out.pending))
		c, err := Client(&readOnly{r: server}, acceptAny())
		if err == nil {
			c.Close()
			t.Fatal("a handshake without a signature")
		}
	})
}

// readOnly is a connection that takes everything.
type readOnly struct {
	net.Conn
	r io.Reader
}

func (r *readOnly) Read(p []byte) (int, error)  { return r.r.Read(p) }
func (r *readOnly) Write(p []byte) (int, error) { return len(p), nil }
func (r *readOnly) Close() error                { return nil }
