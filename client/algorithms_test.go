package client

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"github.com/gossh-project/gossh/sshconfig"
	"github.com/gossh-project/gossh/sshtest"
	"github.com/gossh-project/gossh/sshtest/opensshd"
)

func TestRekeyThreshold(t *testing.T) {
	for limit, want := range map[int64]uint64{
		0: 0, -1: 0, 1: leastRekeyThreshold, 16: leastRekeyThreshold,
		leastRekeyThreshold: leastRekeyThreshold, 1 << 20: 1 << 20, math.MaxInt64: math.MaxInt64,
	} {
		if got := rekeyThreshold(limit); got != want {
			t.Errorf("%d: %d, want %d", limit, got, want)
		}
	}
}

// TestCipherOrder: AES-GCM comes first where the processor helps with it, and
// what somebody has chosen stays as it is.
func TestCipherOrder(t *testing.T) {
	quick := ssh.CipherChaCha20Poly1305
	if runtime.GOARCH == "amd64" && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ {
		quick = ssh.CipherAES128GCM
	}
	const openssh = "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"
	for line, want := range map[string]string{
		"":                    quick,
		"Ciphers " + openssh:  ssh.CipherChaCha20Poly1305,
		"Ciphers +aes128-cbc": ssh.CipherChaCha20Poly1305,
		"Ciphers -chacha20*":  ssh.CipherAES128GCM,
		"Ciphers ^aes256-ctr": ssh.CipherAES256CTR,
	} {
		c := newSetup(t, sshtest.Options{}, line).mustDial(t)
		if got := c.Conn().(ssh.AlgorithmsConnMetadata).Algorithms().Write.Cipher; got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	own := []string{ssh.CipherChaCha20Poly1305, ssh.CipherAES128GCM}
	if got := gcmFirst(own); !slices.Equal(got, own) {
		t.Errorf("a program's own list became %q", got)
	}
}

// TestTinyRekeyLimit: sshd would leave a key exchange during authentication
// without an answer.
func TestTinyRekeyLimit(t *testing.T) {
	srv := opensshd.NewServer(t, nil)
	s := newSetup(t, sshtest.Options{})
	_, other := s.newKey(t, "other", ssh.KeyAlgoRSA)
	s.configure(t, srv.Config, "RekeyLimit 16", "IdentityFile "+other)
	c, err := Dial(testContext(t), "sshd", &Options{ConfigOptions: &sshconfig.Options{UserFile: s.opts.ConfigOptions.UserFile}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	cmd := c.Command(testContext(t), "cat")
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.Output(); err != nil || !bytes.Equal(out, data) {
		t.Fatalf("%d bytes of %d, %v", len(out), len(data), err)
	}
	c.d.keys.mu.Lock()
	defer c.d.keys.mu.Unlock()
	if c.d.keys.exchanges < 2 { // how many more depends on how the exchanges fall
		t.Errorf("%d key exchanges, want another", c.d.keys.exchanges)
	}
}
