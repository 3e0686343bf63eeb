package agentfwd_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"

	"github.com/gossh-project/gossh/agentfwd"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Log in with the keys of an agent, which is told what server they are for.
func Example_authenticate() {
	ctx := context.Background()
	conn, err := net.Dial("tcp", "example.com:22")
	if err != nil {
		log.Fatal(err)
	}
	observer := agentfwd.ObserveKex(conn)
	keys, err := agentfwd.Dial(ctx, agentfwd.Source{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()

	config := &ssh.ClientConfig{User: "me", HostKeyCallback: ssh.InsecureIgnoreHostKey()} // an example's host key
	config.AuthCallback = func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		if len(auth.TriedMethods) > 0 {
			return nil, nil
		}
		binding, err := observer.Binding(auth.Metadata.SessionID())
		if err != nil {
			return nil, err
		}
		// An agent that does not know session-bind still has keys.
		if err := keys.Bind(ctx, binding, false); err != nil && !errors.Is(err, agentfwd.ErrRefused) {
			return nil, err
		}
		signers, err := keys.Signers(ctx)
		if err != nil {
			return nil, err
		}
		var offered []ssh.Signer
		for _, signer := range signers {
			offered = append(offered, signer)
		}
		return ssh.PublicKeys(offered...), nil
	}
	sshConn, chans, reqs, err := ssh.NewClientConn(observer, "example.com:22", config)
	if err != nil {
		log.Fatal(err)
	}
	defer ssh.NewClient(sshConn, chans, reqs).Close()
}

// Forward the agent of SSH_AUTH_SOCK to a server: one key, a question for each
// signature, and a record of all of them.
func ExampleForwarder() {
	var client *ssh.Client             // connected
	var observer *agentfwd.KexObserver // below it
	var yes func(question string) bool // asks a person
	var session interface{ Start(string) error }

	binding, err := observer.Binding(client.SessionID())
	if err != nil {
		log.Fatal(err)
	}
	visible, err := agentfwd.NewKeySet("/home/me/.ssh/id_deploy.pub")
	if err != nil {
		log.Fatal(err)
	}
	uses, err := agentfwd.OpenUsageLog("/home/me/.ssh/agent-uses")
	if err != nil {
		log.Fatal(err)
	}
	defer uses.Close()

	f := agentfwd.NewForwarder(agentfwd.ForwarderConfig{
		Binding: &binding,
		Host:    "example.com",
		Policy: &agentfwd.Policy{
			Keys: visible,
			Log:  uses.Log,
			Confirm: func(_ context.Context, use agentfwd.Use) (bool, error) {
				// Quoted: all of it may come from the other side.
				return yes(fmt.Sprintf("%q wants to log in as %q with %s. Allow?", use.Host, use.Data.User, use.Key.Fingerprint())), nil
			},
		},
		Warn: func(err error) { log.Print(err) },
	})
	defer f.Close()
	go f.Serve(client.HandleChannelOpen(agentfwd.ChannelType))
	f.Allow() // and send agentfwd.RequestType on the session
	session.Start("git pull")
}

// A KeySet takes what ssh-add -l shows, a comment, or a file.
func ExampleNewKeySet() {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: private, Comment: "deploy"}); err != nil {
		log.Fatal(err)
	}
	near, far := net.Pipe()
	go agent.ServeAgent(keyring, far)
	conn := agentfwd.NewConn(near, nil)
	defer conn.Close()
	ids, err := conn.Identities(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	byComment, _ := agentfwd.NewKeySet("deploy")
	byFingerprint, _ := agentfwd.NewKeySet(ids[0].Fingerprint())
	another, _ := agentfwd.NewKeySet("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
	fmt.Println(byComment.Contains(ids[0]), byFingerprint.Contains(ids[0]), another.Contains(ids[0]))
	_, err = agentfwd.NewKeySet("SHA256:typo")
	fmt.Println(err)
	// Output:
	// true true false
	// agentfwd: invalid fingerprint "SHA256:typo"
}
