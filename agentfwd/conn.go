package agentfwd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Defaults of [Options].
const (
	DefaultDialTimeout    = 5 * time.Second
	DefaultRequestTimeout = 10 * time.Second
	DefaultSignTimeout    = 2 * time.Minute
)

// Options tune a connection to an agent. The zero value, and nil, stand for
// the defaults.
type Options struct {
	// DialTimeout bounds the connecting. 0 means DefaultDialTimeout.
	DialTimeout time.Duration

	// RequestTimeout bounds the answer to a request that no person has to
	// agree to: list, session-bind. 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration

	// SignTimeout bounds the answer to a signature request, which may wait for
	// a person (ssh-add -c, a touch of a FIDO key), and to adding a key. 0
	// means DefaultSignTimeout.
	SignTimeout time.Duration

	// OfferSHA1 lets RSA signers offer ssh-rsa, after the SHA-2 algorithms, to
	// servers that know no other.
	OfferSHA1 bool

	// DialContext replaces the connecting to the address that the source
	// gives. nil means the Unix socket, or the named pipe, of that name.
	DialContext func(ctx context.Context, address string) (net.Conn, error)

	// Getenv looks up the variables that a Source names. nil means os.Getenv.
	Getenv func(string) string

	// Logger receives what is worth knowing at -v. nil means silence.
	Logger *slog.Logger
}

// Conn is one connection to an agent. Its methods may be called concurrently;
// the agent answers one request at a time. It starts no goroutine. After a
// request that timed out, was cancelled or met a broken connection, the place
// in the stream is lost: the connection is closed, and every later request
// returns that first error at once.
type Conn struct{}

// Dial connects to the agent that source names. The error is ErrNoAgent if
// there is none to connect to, an *UnavailableError if there should be one, or
// the cause of ctx.
func Dial(ctx context.Context, source Source, opts *Options) (*Conn, error) {
	return nil, errors.ErrUnsupported
}

// NewConn speaks to an agent over a connection that the caller opened, and
// owns it from then on.
func NewConn(conn net.Conn, opts *Options) *Conn { return &Conn{} }

// Bind sends session-bind@openssh.com (PROTOCOL.agent, section 1): it names
// the server that this connection to the agent is used for. forwarding is
// false for our own authentication, once, before Signers are used, and true
// for a connection that a remote host will use. The error wraps ErrRefused for
// an agent that does not know the extension, or rejects the binding; ssh goes
// on then, and keys restricted to hosts are not usable.
func (c *Conn) Bind(ctx context.Context, b Binding, forwarding bool) error {
	return errors.ErrUnsupported
}

// Identities lists the keys and certificates that the agent holds, in its
// order. A locked agent lists none.
func (c *Conn) Identities(ctx context.Context) ([]Identity, error) {
	return nil, errors.ErrUnsupported
}

// Signers lists the keys as signers for ssh.PublicKeys, in the agent's order,
// certificates included. Keys of a type that x/crypto does not know are left
// out. ctx bounds each signature made through them too, as an ssh.Signer takes
// no context of its own.
func (c *Conn) Signers(ctx context.Context) ([]*Signer, error) { return nil, errors.ErrUnsupported }

// Add gives a private key to the agent (AddKeysToAgent). The error wraps
// ErrRefused if the agent does not take it.
func (c *Conn) Add(ctx context.Context, key AddedKey) error { return errors.ErrUnsupported }

// Close ends the connection; requests under way return ErrClosed.
func (c *Conn) Close() error { return nil }
