//go:build unix

package client

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/gossh-project/gossh/agentfwd"
	"github.com/gossh-project/gossh/sshtest"
)

// oddAgent is an agent with ways of its own.
type oddAgent struct {
	agent.ExtendedAgent
	refuse bool                                                  // to list
	flags  func(asked agent.SignatureFlags) agent.SignatureFlags // to sign with
}

func (a oddAgent) List() ([]*agent.Key, error) {
	if a.refuse {
		return nil, errors.New("refused")
	}
	return a.ExtendedAgent.List()
}

func (a oddAgent) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	return a.ExtendedAgent.SignWithFlags(key, data, a.flags(flags))
}

// listenAgent serves each connection to a socket, whose name it returns.
func listenAgent(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "a") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
		os.RemoveAll(dir)
	})
	return ln.Addr().String()
}

// TestAgentSignsOtherwise has agents that sign with another hash than asked.
func TestAgentSignsOtherwise(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sha1 := func(agent.SignatureFlags) agent.SignatureFlags { return 0 }
	sha256 := func(asked agent.SignatureFlags) agent.SignatureFlags { return min(asked, agent.SignatureFlagRsaSha256) }
	const all = "rsa-sha2-512,rsa-sha2-256"
	for name, c := range map[string]struct {
		flags    func(agent.SignatureFlags) agent.SignatureFlags
		accepted string
		ok       bool
	}{
		"SHA-1, allowed":         {sha1, all + ",ssh-rsa", true},
		"SHA-1, not allowed":     {sha1, all, false},
		"SHA-256, allowed":       {sha256, all, true},
		"SHA-256, not allowed":   {sha256, "rsa-sha2-512", false},
		"SHA-256, SHA-1 allowed": {sha256, "rsa-sha2-512,ssh-rsa", true},
	} {
		t.Run(name, func(t *testing.T) {
			keyring := agent.NewKeyring().(agent.ExtendedAgent)
			if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
				t.Fatal(err)
			}
			socket := listenAgent(t, func(nc net.Conn) { agent.ServeAgent(oddAgent{keyring, false, c.flags}, nc) })
			s := newSetup(t, sshtest.Options{
				Users:               []sshtest.User{{Name: "test", Keys: []ssh.PublicKey{signer.PublicKey()}}},
				PublicKeyAlgorithms: []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA},
			}, "IdentityFile none", "IdentitiesOnly no", "PubkeyAcceptedAlgorithms "+c.accepted, "IdentityAgent "+socket)
			_, err := s.dial(t)
			var denied *AuthError
			if c.ok && err != nil || !c.ok && !errors.As(err, &denied) {
				t.Errorf("ended with %v", err)
			}
			if _, told := hasEvent[SignedOtherwise](s); !told {
				t.Error("the type of the signature is not told of")
			}
			if _, told := hasEvent[NoSignatureAlgorithm](s); told == c.ok {
				t.Errorf("told that no algorithm is left: %v", told)
			}
		})
	}
}

// TestAgentRefusesToList: such an agent is as good as none, without a word.
func TestAgentRefusesToList(t *testing.T) {
	keyring := agent.NewKeyring().(agent.ExtendedAgent)
	socket := listenAgent(t, func(nc net.Conn) { agent.ServeAgent(oddAgent{keyring, true, nil}, nc) })
	s := newSetup(t, sshtest.Options{}, "IdentityAgent "+socket)
	s.mustDial(t)
	if e, told := hasEvent[AgentFailed](s); told {
		t.Errorf("told of: %v", e.Err)
	}
}

// TestAgentHangs: the login goes on without an agent that does not answer.
func TestAgentHangs(t *testing.T) {
	for name, answers := range map[string]int{"at once": 0, "once it is to list": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := listenAgent(t, func(nc net.Conn) {
				for range answers {
					var length [4]byte
					if _, err := io.ReadFull(nc, length[:]); err != nil {
						return
					}
					io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(length[:])))
					nc.Write([]byte{0, 0, 0, 1, 5}) // SSH_AGENT_FAILURE
				}
				io.Copy(io.Discard, nc)
			})
			s := newSetup(t, sshtest.Options{}, "IdentityAgent "+socket, "ConnectTimeout 1")
			s.mustDial(t)
			if e, told := hasEvent[AgentFailed](s); !told || !errors.Is(e.Err, agentfwd.ErrTimeout) {
				t.Errorf("the agent's silence is not told of: %v", e.Err)
			}
		})
	}
}
