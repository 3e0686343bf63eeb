package transport

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// pipe returns the two ends of a loopback TCP connection.
func pipe(t testing.TB) (client, server net.Conn) {
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
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// hostSigner makes a host key of a type.
func hostSigner(t testing.TB, keyType string) ssh.Signer {
	t.Helper()
	var key any
	var err error
	switch keyType {
	case ssh.KeyAlgoED25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case ssh.KeyAlgoECDSA256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ssh.KeyAlgoRSA:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acceptAny is a Config with every algorithm and any host key.
func acceptAny() *Config {
	return &Config{
		Version:           "SSH-2.0-gossh_test",
		KeyExchanges:      SupportedKeyExchanges(),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		Ciphers:           SupportedCiphers(),
		MACs:              SupportedMACs(),
		HostKey:           func(HostKey) error { return nil },
	}
}

// cryptoServer serves one connection with x/crypto's server, which lets everybody
// in and refuses every request and channel but "echo", whose data it returns.
func cryptoServer(t testing.TB, nc net.Conn, config ssh.Config, keys ...ssh.Signer) {
	t.Helper()
	sc := &ssh.ServerConfig{Config: config, NoClientAuth: true}
	if len(keys) == 0 {
		keys = []ssh.Signer{hostSigner(t, ssh.KeyAlgoED25519)}
	}
	for _, k := range keys {
		sc.AddHostKey(k)
	}
	done := make(chan struct{})
	t.Cleanup(func() { nc.Close(); <-done })
	go func() {
		defer close(done)
		conn, chans, reqs, err := ssh.NewServerConn(nc, sc)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		for c := range chans {
			c.Reject(ssh.Prohibited, "no")
		}
		conn.Wait()
	}()
}

// login authenticates with method none.
func login(t testing.TB, c *Conn) {
	t.Helper()
	if err := tryLogin(c); err != nil {
		t.Fatal(err)
	}
}

// tryLogin is login for a connection that may be damaged.
func tryLogin(c *Conn) error {
	p := wire.AppendString([]byte{50}, []byte("user"))
	p = wire.AppendString(p, []byte("ssh-connection"))
	p = wire.AppendString(p, []byte("none"))
	if err := c.WritePackets(wire.AppendString([]byte{msgServiceRequest}, []byte("ssh-userauth")), p); err != nil {
		return err
	}
	for _, want := range []byte{msgServiceAccept, 52} {
		got, err := c.ReadPacket()
		if err != nil {
			return err
		}
		if got[0] != want {
			return fmt.Errorf("message %d, want %d", got[0], want)
		}
	}
	c.AllowRekey()
	return nil
}

func receive(t testing.TB, c *Conn) []byte {
	t.Helper()
	p, err := c.ReadPacket()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// globalRequest is a request that asks for an answer, with n bytes of data.
func globalRequest(n int) []byte {
	p := append(wire.AppendString([]byte{80}, []byte("test@example.com")), 1)
	return append(p, make([]byte, n)...)
}
