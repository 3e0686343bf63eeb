package transport

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestAlgorithms runs every method, cipher and MAC that x/crypto's server has.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	all := ssh.InsecureAlgorithms()
	has := ssh.SupportedAlgorithms()
	kexes := append(slices.Clone(has.KeyExchanges), all.KeyExchanges...)
	ciphers := append(slices.Clone(has.Ciphers), all.Ciphers...)
	macs := append(slices.Clone(has.MACs), all.MACs...)
	run := func(kex, cipher, mac string) {
		t.Run(kex+"/"+cipher+"/"+mac, func(t *testing.T) {
			t.Parallel()
			nc, server := pipe(t)
			cryptoServer(t, server, ssh.Config{KeyExchanges: kexes, Ciphers: ciphers, MACs: macs})
			cfg := acceptAny()
			cfg.KeyExchanges, cfg.Ciphers, cfg.MACs = []string{kex}, []string{cipher}, []string{mac}
			c, err := Client(nc, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			login(t, c)
			a := c.Algorithms()
			if a.KeyExchange != kex || a.Read.Cipher != cipher || a.Write.Cipher != cipher {
				t.Errorf("agreed on %+v", a)
			}
			for _, n := range []int{0, 1, 100, 32 << 10, 200 << 10} {
				if err := c.WritePacket(globalRequest(n), nil); err != nil {
					t.Fatal(err)
				}
				if p := receive(t, c); p[0] != 82 {
					t.Fatalf("answer %d", p[0])
				}
			}
		})
	}
	tried := 0
	for _, kex := range SupportedKeyExchanges() {
		if slices.Contains(kexes, kex) {
			run(kex, "aes128-gcm@openssh.com", "hmac-sha2-256")
			tried++
		}
	}
	for _, s := range SupportedCiphers() {
		if !slices.Contains(ciphers, s) {
			continue
		}
		tried++
		for _, mac := range SupportedMACs() {
			if slices.Contains(macs, mac) {
				run("curve25519-sha256", s, mac)
			}
			if cipherByName(s).aead {
				break
			}
		}
	}
	if tried < 12 {
		t.Errorf("only %d algorithms tried", tried)
	}
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ keyType, algorithm string }{
		{ssh.KeyAlgoED25519, ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA256},
		{ssh.KeyAlgoRSA, ssh.KeyAlgoRSASHA256},
		{ssh.KeyAlgoRSA, ssh.KeyAlgoRSASHA512},
	} {
		nc, server := pipe(t)
		signer := hostSigner(t, test.keyType)
		cryptoServer(t, server, ssh.Config{}, signer)
		cfg := acceptAny()
		cfg.HostKeyAlgorithms = []string{test.algorithm}
		var got HostKey
		cfg.HostKey = func(k HostKey) error { got = k; return nil }
		c, err := Client(nc, cfg)
		if err != nil {
			t.Errorf("%s: %v", test.algorithm, err)
			continue
		}
		if got.Algorithm != test.algorithm || string(got.Key.Marshal()) != string(signer.PublicKey().Marshal()) {
			t.Errorf("%s: %+v", test.algorithm, got)
		}
		var sig ssh.Signature
		if err := ssh.Unmarshal(c.HostKey().Signature, &sig); err != nil {
			t.Error(err)
		} else if err := got.Key.Verify(c.SessionID(), &sig); err != nil {
			t.Errorf("the signature is not over the session id: %v", err)
		}
		c.Close()
	}
}

// TestHostKeyRefused: nothing may be sent after a refusal, and the error is the
// caller's.
func TestHostKeyRefused(t *testing.T) {
	t.Parallel()
	nc, server := pipe(t)
	cryptoServer(t, server, ssh.Config{})
	cause := errors.New("refused")
	cfg := acceptAny()
	cfg.HostKey = func(HostKey) error { return cause }
	_, err := Client(nc, cfg)
	var refused *HostKeyError
	if !errors.Is(err, cause) || !errors.As(err, &refused) {
		t.Errorf("error %v", err)
	}
}

// TestGuess: a right guess and a wrong one lead to the same connection.
func TestGuess(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group-exchange-sha256"} {
		for _, key := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSA} {
			nc, server := pipe(t)
			cryptoServer(t, server, ssh.Config{KeyExchanges: []string{"curve25519-sha256", "ecdh-sha2-nistp256"}}, hostSigner(t, key))
			cfg := acceptAny()
			cfg.Guess = true
			cfg.KeyExchanges = []string{first, "curve25519-sha256"}
			c, err := Client(nc, cfg)
			if err != nil {
				t.Errorf("%s, %s: %v", first, key, err)
				continue
			}
			login(t, c)
			c.Close()
		}
	}
}

// TestRekey exchanges keys by all limits and by both sides while data goes in both
// directions.
func TestRekey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		client, server uint64
		ask            bool
	}{
		{"by our limit", 300 << 10, 0, false},
		{"by the server's limit", 0, 300 << 10, false},
		{"by both", 200 << 10, 170 << 10, false},
		{"on demand", 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			nc, server := pipe(t)
			cryptoServer(t, server, ssh.Config{RekeyThreshold: test.server})
			cfg := acceptAny()
			cfg.RekeyBytes = test.client
			exchanges := 0
			cfg.OnKeyExchange = func(Algorithms) { exchanges++ }
			c, err := Client(nc, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			login(t, c)
			id := string(c.SessionID())
			const requests = 300
			// More requests at once than x/crypto's server queues lock it up when it
			// begins a key exchange (golang/go#18439).
			window := make(chan struct{}, 8)
			sent := make(chan error, 1)
			go func() {
				for i := range requests {
					window <- struct{}{}
					if test.ask && i%50 == 10 {
						if err := c.Rekey(); err != nil {
							sent <- err
							return
						}
					}
					if err := c.WritePacket(globalRequest(16<<10), nil); err != nil {
						sent <- fmt.Errorf("request %d: %w", i, err)
						return
					}
				}
				sent <- nil
			}()
			for range requests {
				if p := receive(t, c); p[0] != 82 {
					t.Fatalf("answer %d", p[0])
				}
				<-window
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			if exchanges < 4 {
				t.Errorf("%d key exchanges", exchanges)
			}
			if string(c.SessionID()) != id {
				t.Error("the session id has changed")
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	nc, server := pipe(t)
	cryptoServer(t, server, ssh.Config{})
	c, err := Client(nc, acceptAny())
	if err != nil {
		t.Fatal(err)
	}
	login(t, c)
	read := make(chan error, 1)
	go func() {
		_, err := c.ReadPacket()
		read <- err
	}()
	c.Close()
	if err := <-read; !errors.Is(err, ErrClosed) {
		t.Errorf("ReadPacket: %v", err)
	}
	if err := c.WritePacket(globalRequest(1), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("WritePacket: %v", err)
	}
	if err := c.QueuePacket(globalRequest(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("QueuePacket: %v", err)
	}
}
