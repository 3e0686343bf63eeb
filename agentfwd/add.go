package agentfwd

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// AddedKey is a private key to add to an agent.
type AddedKey struct {
	PrivateKey  any              // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, or a pointer to it
	Certificate *ssh.Certificate // added after the key, as an identity of its own; may be nil
	Comment     string
	Lifetime    time.Duration // rounded up to seconds; 0 means until removed
	Confirm     bool          // the agent asks before each use
}

// Add adds a private key to the agent (AddKeysToAgent), and then its certificate,
// as ssh-add does. Its error wraps ErrRefused if the agent refuses the key. Keys
// on a FIDO token cannot be added.
func (c *Conn) Add(ctx context.Context, key AddedKey) error {
	if key.Lifetime < 0 || key.Lifetime > math.MaxUint32*time.Second {
		return fmt.Errorf("agentfwd: lifetime %v out of range", key.Lifetime)
	}
	added := agent.AddedKey{
		PrivateKey:       key.PrivateKey,
		Comment:          key.Comment,
		LifetimeSecs:     uint32((key.Lifetime + time.Second - 1) / time.Second),
		ConfirmBeforeUse: key.Confirm,
	}
	if err := c.add(ctx, added); err != nil || key.Certificate == nil {
		return err
	}
	added.Certificate = key.Certificate
	return c.add(ctx, added)
}

// add lets x/crypto write the private key's fields, and carries the message.
func (c *Conn) add(ctx context.Context, key agent.AddedKey) error {
	carrier := &addCarrier{ctx: ctx, conn: c}
	err := agent.NewClient(carrier).Add(key)
	if carrier.err != nil {
		return carrier.err
	}
	return err
}

// addCarrier is the stream under x/crypto's agent client, which writes a whole
// request and then reads the reply. As it has no Close, that client starts no
// goroutine. It keeps the typed error that the client would make a text of.
type addCarrier struct {
	ctx   context.Context
	conn  *Conn
	reply bytes.Buffer
	err   error
}

// Write takes one request, length and all.
func (a *addCarrier) Write(framed []byte) (int, error) {
	var reply []byte
	msg, err := readMessage(bytes.NewReader(framed))
	if err == nil {
		reply, err = a.conn.request(a.ctx, "add", a.conn.personTimeout(), msg)
	}
	if err == nil {
		err = a.conn.success("add", reply)
	}
	if err != nil {
		a.err = err
		return 0, err
	}
	return len(framed), writeMessage(&a.reply, reply)
}

// Read gives the reply.
func (a *addCarrier) Read(p []byte) (int, error) { return a.reply.Read(p) }
