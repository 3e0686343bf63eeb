package agentfwd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Defaults of [Options].
const (
	DefaultDialTimeout    = 5 * time.Second
	DefaultRequestTimeout = 10 * time.Second
	DefaultSignTimeout    = 2 * time.Minute
)

// Options are the options of a connection to an agent. A nil *Options means the
// defaults.
type Options struct {
	// DialTimeout bounds the connecting. 0 means DefaultDialTimeout.
	DialTimeout time.Duration

	// RequestTimeout bounds the first answer on a connection, and each answer
	// to session-bind. 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration

	// SignTimeout bounds the answers that may wait for a person (ssh-add -c, a
	// touch of a FIDO key, an agent that asks to be unlocked), once the agent
	// has shown to be alive; for a signature, always. 0 means
	// DefaultSignTimeout.
	SignTimeout time.Duration

	// ListTimeout takes the place of SignTimeout for listing and adding keys.
	// 0 means SignTimeout.
	ListTimeout time.Duration

	// DialContext replaces the connecting to the address that the source
	// gives. nil means the Unix socket, or the named pipe, of that name.
	DialContext func(ctx context.Context, address string) (net.Conn, error)

	// Getenv looks up the variables that a Source names. nil means os.Getenv.
	Getenv func(string) string

	// Logger receives what is worth knowing at -v. nil means silence.
	Logger *slog.Logger
}

// withDefaults returns a copy with every zero value replaced.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	out.DialTimeout = cmp.Or(out.DialTimeout, DefaultDialTimeout)
	out.RequestTimeout = cmp.Or(out.RequestTimeout, DefaultRequestTimeout)
	out.SignTimeout = cmp.Or(out.SignTimeout, DefaultSignTimeout)
	out.ListTimeout = cmp.Or(out.ListTimeout, out.SignTimeout)
	if out.DialContext == nil {
		out.DialContext = dialAddress
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	return out
}

// Conn is a connection to an agent. Its methods may be called by several
// goroutines; the agent answers one request at a time. A Conn has no goroutine.
// After a request that timed out, was canceled or failed because of the
// connection, the state of the stream is unknown: the connection is closed, and
// every later request returns the first error.
type Conn struct {
	conn    net.Conn
	address string
	opts    Options

	turn     chan struct{} // holds one token while a request is on the wire
	answered atomic.Bool   // the agent has answered something

	ctx context.Context // ends, with the first error as its cause, when conn does
	end context.CancelCauseFunc
}

// Dial connects to the agent that source names. It returns ErrNoAgent if there is
// none, an *UnavailableError if connecting fails, or the cause of ctx. If the
// socket does not exist, the error matches fs.ErrNotExist; ssh mentions it only
// with -v.
func Dial(ctx context.Context, source Source, opts *Options) (*Conn, error) {
	o := opts.withDefaults()
	address, err := source.Address(o.Getenv)
	if err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeoutCause(ctx, o.DialTimeout, ErrTimeout)
	defer cancel()
	conn, err := o.DialContext(dialCtx, address)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if cause := context.Cause(dialCtx); cause != nil {
			err = cause
		} else if errors.Is(err, context.DeadlineExceeded) {
			err = ErrTimeout // net's clock may be ahead of the context's
		}
		return nil, &UnavailableError{Address: address, Op: "dial", Err: err}
	}
	c := NewConn(conn, &o)
	c.address = address
	return c, nil
}

// NewConn returns a Conn that uses conn, which it owns from then on.
func NewConn(conn net.Conn, opts *Options) *Conn {
	c := &Conn{conn: conn, opts: opts.withDefaults(), turn: make(chan struct{}, 1)}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	return c
}

// Bind sends session-bind@openssh.com (PROTOCOL.agent, section 1), which names the
// server that the connection to the agent is used for. forwarding is false for the
// authentication to the server: then Bind is called once, before Signers are used.
// It is true for a connection that a remote host will use. Its error wraps
// ErrRefused if the agent does not know the extension or rejects the binding. ssh
// continues then, but keys that are restricted to hosts cannot be used.
func (c *Conn) Bind(ctx context.Context, b Binding, forwarding bool) error {
	if b.HostKey == nil {
		return ErrNoBinding
	}
	msg := sessionBind{
		HostKey:    b.HostKey.Marshal(),
		SessionID:  b.SessionID,
		Signature:  b.Signature,
		Forwarding: forwarding,
	}.marshal()
	reply, err := c.request(ctx, "session-bind", c.opts.RequestTimeout, msg)
	if err != nil {
		return err
	}
	return c.success("session-bind", reply)
}

// Identities returns the keys and certificates that the agent holds, in the
// agent's order. A locked agent returns none.
func (c *Conn) Identities(ctx context.Context) ([]Identity, error) {
	reply, err := c.request(ctx, "list", c.personTimeout(), []byte{msgRequestIdentities})
	if err != nil {
		return nil, err
	}
	if reply[0] == msgFailure {
		return nil, fmt.Errorf("listing keys: %w", ErrRefused)
	}
	ids, err := parseIdentities(reply)
	if err != nil {
		return nil, c.fail(&UnavailableError{Address: c.address, Op: "list", Err: err})
	}
	return ids, nil
}

// Signers returns the agent's keys and certificates as signers for ssh.PublicKeys,
// in the agent's order. Keys of types that x/crypto does not know are left out.
// ctx also ends the signatures that are made with them, since the methods of
// ssh.Signer have no context.
func (c *Conn) Signers(ctx context.Context) ([]*Signer, error) {
	ids, err := c.Identities(ctx)
	if err != nil {
		return nil, err
	}
	signers := make([]*Signer, 0, len(ids))
	for _, id := range ids {
		if id.Key == nil {
			c.opts.Logger.Debug("agent key of unknown type left out", "type", id.Format)
			continue
		}
		signers = append(signers, &Signer{ctx: ctx, conn: c, id: id})
	}
	return signers, nil
}

// Close closes the connection. Outstanding requests return ErrClosed.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return nil
}

// personTimeout is the patience with a request that a person may have to
// agree to: much, but only with an agent that has answered before.
func (c *Conn) personTimeout() time.Duration {
	if c.answered.Load() {
		return c.opts.ListTimeout
	}
	return c.opts.RequestTimeout
}

// success reads a reply that is nothing but yes or no.
func (c *Conn) success(op string, reply []byte) error {
	switch reply[0] {
	case msgSuccess:
		return nil
	case msgFailure, msgExtensionFailure:
		return fmt.Errorf("%s: %w", op, ErrRefused)
	}
	err := fmt.Errorf("%w: reply of type %d", ErrMalformed, reply[0])
	return c.fail(&UnavailableError{Address: c.address, Op: op, Err: err})
}

// request sends one message and returns the reply to it, which is never empty.
func (c *Conn) request(ctx context.Context, op string, timeout time.Duration, msg []byte) ([]byte, error) {
	select {
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case c.turn <- struct{}{}:
	}
	defer func() { <-c.turn }()
	if err := context.Cause(c.ctx); err != nil {
		return nil, err
	}

	limited, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	// Closing works on every kind of connection, where a deadline does not.
	stop := context.AfterFunc(limited, func() { c.fail(c.failure(ctx, op, context.Cause(limited))) })
	defer stop()

	reply, err := c.exchange(msg)
	if err != nil {
		if cause := context.Cause(limited); cause != nil {
			err = cause
		}
		return nil, c.fail(c.failure(ctx, op, err))
	}
	c.answered.Store(true)
	return reply, nil
}

// exchange writes a message and reads one.
func (c *Conn) exchange(msg []byte) ([]byte, error) {
	if err := writeMessage(c.conn, msg); err != nil {
		return nil, err
	}
	return readMessage(c.conn)
}

// failure dresses the cause of a failed request: what the caller's context
// says stays as it is, all else is the agent's.
func (c *Conn) failure(caller context.Context, op string, cause error) error {
	if err := context.Cause(caller); err != nil {
		return err
	}
	return &UnavailableError{Address: c.address, Op: op, Err: cause}
}

// fail closes the connection, and returns the first cause of that.
func (c *Conn) fail(err error) error {
	c.end(err)
	c.conn.Close()
	return context.Cause(c.ctx)
}

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
