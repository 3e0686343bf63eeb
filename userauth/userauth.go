// Package userauth is the client side of the SSH authentication protocol
// (RFC 4252, RFC 4256) over package transport.
//
//	err := userauth.Client(t, userauth.Config{User: "deploy", Next: next})
//
// Config.Next chooses each next method when the server has answered the one
// before, as OpenSSH's client does: the order of keys and questions is the
// caller's.
package userauth

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/transport"

	"github.com/gossh-project/gossh/internal/wire"
)

// service is what the user is authenticated for.
const service = "ssh-connection"

// ErrNoMethod is the error of an authentication for which Config.Next has no
// other method.
var ErrNoMethod = errors.New("userauth: no authentication method left")

var (
	errPasswordExpired = errors.New("userauth: the server wants the password changed")
	errAnswers         = errors.New("userauth: another number of answers than of questions")
)

// A ProtocolError is the error of a message that is not allowed where it came.
type ProtocolError struct{ What string }

func (e *ProtocolError) Error() string { return "userauth: " + e.What }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{What: fmt.Sprintf(format, args...)}
}

// Config says how to authenticate.
type Config struct {
	User string

	// First, if not nil, is tried at once, in the same packets that ask for the
	// service, which saves a round trip. Otherwise the method "none" is, whose
	// refusal lists what the server accepts.
	First Method

	// Next returns the method to try after a failure or a partial success; nil
	// ends the authentication with ErrNoMethod. Its error is the error of Client.
	Next func(State) (Method, error)

	// Banner, if set, is called with each message that the server wants shown.
	// It may contain any bytes.
	Banner func(text string) error

	// Rand is for signatures. The default is crypto/rand.
	Rand io.Reader
}

// State is what the server has said so far.
type State struct {
	// Allowed are the methods that the server accepts now.
	Allowed []string

	// Partial are the methods that have succeeded without being enough.
	Partial []string

	// Err is why the last method could not be carried out, nil if it was the
	// server that refused it.
	Err error
}

// A Method is one attempt to authenticate: [None], [Password], [PublicKey] or
// [KeyboardInteractive].
type Method interface {
	name() string
	run(c *client) (outcome, error)
}

// outcome is the server's answer to an attempt.
type outcome struct {
	success, partial bool
	allowed          []string
}

// methodError is the error of a method that could not be carried out although the
// connection is in order: another one may be tried.
type methodError struct{ err error }

func (e *methodError) Error() string { return e.err.Error() }
func (e *methodError) Unwrap() error { return e.err }

// client is one authentication under way.
type client struct {
	t   *transport.Conn
	cfg Config

	// The request for the service goes out with the first message after it, and
	// its answer is read before the first answer.
	service  []byte
	awaiting bool
}

// Limits on what a server may send during the authentication.
const (
	maxBanners = 64 // between two answers
)

// Client authenticates the user. It blocks until the server has accepted it, or
// until no method is left; the caller bounds that by closing the transport.
func Client(t *transport.Conn, cfg Config) error {
	c := &client{t: t, cfg: cfg}
	c.service = wire.AppendString([]byte{msgServiceRequest}, "ssh-userauth")
	method := cfg.First
	if method == nil {
		method = None()
	}
	var st State
	for {
		out, err := method.run(c)
		var own *methodError
		switch {
		case errors.As(err, &own):
			st.Err = own.err
		case err != nil:
			return err
		case out.success:
			t.AllowRekey()
			return nil
		default:
			st.Err = nil
			st.Allowed = out.allowed
			if out.partial {
				st.Partial = append(st.Partial, method.name())
			}
		}
		if method, err = cfg.Next(st); err != nil {
			return err
		}
		if method == nil {
			return ErrNoMethod
		}
	}
}

// send sends a message, with the request for the service in front of the first.
func (c *client) send(p []byte) error {
	if c.service != nil {
		first := c.service
		c.service, c.awaiting = nil, true
		return c.t.WritePackets(first, p)
	}
	return c.t.WritePacket(p, nil)
}

// receive returns the next message but for banners. The answer to the request for
// the service is checked on the way.
func (c *client) receive() ([]byte, error) {
	banners := 0
	for {
		p, err := c.t.ReadPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case c.awaiting && p[0] == msgServiceAccept:
			c.awaiting = false
			continue
		case p[0] == msgServiceAccept || c.awaiting:
			return nil, protocolErrorf("message %d, service accepted: %t", p[0], !c.awaiting)
		case p[0] == msgBanner:
			if banners++; banners > maxBanners {
				return nil, protocolErrorf("too many banners")
			}
			if err := c.banner(p); err != nil {
				return nil, err
			}
			continue
		}
		return p, nil
	}
}

func (c *client) banner(p []byte) error {
	var m bannerMsg
	if err := ssh.Unmarshal(p, &m); err != nil {
		return protocolErrorf("malformed banner")
	}
	if c.cfg.Banner == nil {
		return nil
	}
	return c.cfg.Banner(m.Message)
}

// request returns the beginning of a request for a method (RFC 4252, section 5).
func (c *client) request(method string) []byte {
	p := wire.AppendString([]byte{msgRequest}, c.cfg.User)
	p = wire.AppendString(p, service)
	return wire.AppendString(p, method)
}

// answer reads what ends an attempt: success or failure. Any other message is
// returned.
func (c *client) answer() (out outcome, other []byte, err error) {
	p, err := c.receive()
	if err != nil {
		return out, nil, err
	}
	switch p[0] {
	case msgSuccess:
		return outcome{success: true}, nil, nil
	case msgFailure:
		var m failureMsg
		if err := ssh.Unmarshal(p, &m); err != nil {
			return out, nil, protocolErrorf("malformed failure")
		}
		if len(m.Methods) == 1 && m.Methods[0] == "" {
			m.Methods = nil
		}
		return outcome{partial: m.Partial, allowed: m.Methods}, nil, nil
	}
	return out, p, nil
}

// finalAnswer is answer where nothing else may come.
func (c *client) finalAnswer() (outcome, error) {
	out, other, err := c.answer()
	if err == nil && other != nil {
		err = protocolErrorf("unexpected message %d", other[0])
	}
	return out, err
}

// Message numbers (RFC 4250, section 4.1.2). Those of the methods are shared.
const (
	msgServiceRequest = 5
	msgServiceAccept  = 6
	msgRequest        = 50
	msgFailure        = 51
	msgSuccess        = 52
	msgBanner         = 53
	msgMethod60       = 60 // PK_OK, PASSWD_CHANGEREQ, INFO_REQUEST
	msgInfoResponse   = 61
)

type failureMsg struct {
	Methods []string `sshtype:"51"`
	Partial bool
}

type bannerMsg struct {
	Message  string `sshtype:"53"`
	Language string
}

// none is the method that asks what the server accepts.
type none struct{}

// None returns the method "none" (RFC 4252, section 5.2).
func None() Method { return none{} }

func (none) name() string { return "none" }

func (none) run(c *client) (outcome, error) {
	if err := c.send(c.request("none")); err != nil {
		return outcome{}, err
	}
	return c.finalAnswer()
}

// join is for messages.
func join(names []string) string { return strings.Join(names, ",") }
