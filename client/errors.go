package client

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/gossh-project/gossh/hostkey"
)

// ErrClosed is what a Client ended with when its own side closed it.
var ErrClosed = errors.New("client: connection closed")

// ErrTimeout is the cause of a Dial that ConnectTimeout ended.
var ErrTimeout = errors.New("client: timed out")

// Phase is how far a Dial had come.
type Phase int

const (
	PhaseResolve   Phase = iota // looking the host name up
	PhaseConnect                // TCP, or starting the ProxyCommand
	PhaseBanner                 // exchanging version lines
	PhaseKex                    // key exchange and host key
	PhaseAuth                   // authentication
	PhaseConnected              // the connection was up
)

// ConnError is a connection that could not be made, or that broke. Its Err is
// the cause: a net.Error, ErrTimeout, a *keepalive.PeerLostError, io.EOF for
// a server that hung up, a *DisconnectError, a *VersionError, an
// *ssh.AlgorithmNegotiationError, a *CallbackError.
type ConnError struct {
	Phase   Phase
	Host    string // as it was to be connected to
	Port    int
	Address string // the peer's, "UNKNOWN" behind a ProxyCommand; "" before there was one
	Jump    bool   // Host is a jump host
	// KeysOffered is how many public keys had been offered: servers hang up
	// after too many (MaxAuthTries).
	KeysOffered int
	Err         error
}

func (e *ConnError) Error() string {
	return fmt.Sprintf("connection to %s port %d: %v", e.Host, e.Port, e.Err)
}

func (e *ConnError) Unwrap() error { return e.Err }

// Timeout says that time was up: a ConnError is a net.Error.
func (e *ConnError) Timeout() bool {
	var cause net.Error
	return errors.Is(e.Err, ErrTimeout) || errors.As(e.Err, &cause) && cause.Timeout()
}

// Temporary reports false: see Retryable.
func (e *ConnError) Temporary() bool { return false }

// ResolveError is a host name without an address. Its Err is net's.
type ResolveError struct {
	Host string
	Err  error
}

func (e *ResolveError) Error() string {
	return fmt.Sprintf("could not resolve hostname %s: %v", e.Host, e.Err)
}

func (e *ResolveError) Unwrap() error { return e.Err }

// AuthError is a server that accepts none of what there is to offer.
type AuthError struct {
	User, Host string
	// Methods are those that the server would still take.
	Methods []string
	// Tried are the methods that were tried, each once, in order, and Keys the
	// public keys that were offered, as SHA256 fingerprints.
	Tried []string
	Keys  []string
	// Partial are the methods that did succeed where the server wants several.
	Partial []string
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("%s@%s: Permission denied (%s).", e.User, e.Host, strings.Join(e.Methods, ","))
}

// CallbackError is the error that a function of Options returned. It is found
// in a ConnError, which names the host and the phase. One of HostKeyCallback
// matches hostkey.ErrVerification as well.
type CallbackError struct {
	Name string // of the field of Options: "Password", "HostKeyCallback"
	Err  error
}

func (e *CallbackError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns Err, and hostkey.ErrVerification for a refused host key.
func (e *CallbackError) Unwrap() []error {
	if e.Name == hostKeyCallback {
		return []error{e.Err, hostkey.ErrVerification}
	}
	return []error{e.Err}
}

const hostKeyCallback = "HostKeyCallback"

// callbackError returns the error of a Dial that a function of Options ended.
func (d *dialer) callbackError(at Phase, name string, err error) error {
	e := &ConnError{Phase: at, Host: d.cfg.HostName, Port: d.cfg.Port, Jump: d.parent != nil,
		Err: &CallbackError{Name: name, Err: err}}
	if d.watched != nil {
		e.Address = peerHost(d.watched)
	}
	return e
}

// DisconnectError is the server's SSH_MSG_DISCONNECT (RFC 4253, section 11.1).
type DisconnectError struct {
	Reason  uint32
	Message string // the server's words: not to be trusted with control characters
}

func (e *DisconnectError) Error() string {
	return fmt.Sprintf("disconnected by the server: %d: %s", e.Reason, e.Message)
}

// VersionError is a server of another protocol than SSH-2.
type VersionError struct {
	Line  string // what the server calls itself: not to be trusted
	Major int    // 0 if that cannot be read
	// Err is set if there was no identification: ErrLineTooLong,
	// ErrLineInvalid (both are about Line) or ErrTooManyLines.
	Err error
}

func (e *VersionError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("no server of SSH-2: %v", e.Err)
	}
	return fmt.Sprintf("no server of SSH-2: %q", e.Line)
}

// Unwrap returns Err.
func (e *VersionError) Unwrap() error { return e.Err }

// TargetError is a target, a user or a host name that cannot be one.
type TargetError struct {
	What string // "destination", "user name" or "host name"
	Text string
}

func (e *TargetError) Error() string { return fmt.Sprintf("invalid %s %q", e.What, e.Text) }

// disconnectPrefix is how x/crypto words a disconnect message, whose type it
// does not export (messages.go, disconnectMsg.Error).
const disconnectPrefix = "ssh: disconnect, reason "

// asDisconnect finds the server's disconnect message in an error of x/crypto.
func asDisconnect(err error) *DisconnectError {
	for ; err != nil; err = errors.Unwrap(err) {
		text, ok := strings.CutPrefix(err.Error(), disconnectPrefix)
		if !ok {
			continue
		}
		d := new(DisconnectError)
		if _, serr := fmt.Sscanf(text, "%d:", &d.Reason); serr != nil {
			continue
		}
		_, d.Message, _ = strings.Cut(text, ": ")
		if plain, err := strconv.Unquote(d.Message); err == nil {
			d.Message = plain
		}
		return d
	}
	return nil
}
