package mux

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
)

// Client is a connection to a master. One session can be had of it; other
// requests can be made one after the other. A master drops a client that has
// no session and asks for nothing for a minute.
type Client struct{}

// Connect connects to the master at path and exchanges HELLOs. Its error wraps
// ErrNoMaster, ErrStale, ErrTimeout, ErrMasterGone, ErrPeer or the cause of
// ctx, or is a *PathError, *VersionError or *ProtocolError.
func Connect(ctx context.Context, path string, opts ClientOptions) (*Client, error) {
	return nil, errors.New("TODO")
}

// Alive asks who the master is and, of a gossh master, how its connection does.
func (c *Client) Alive(ctx context.Context) (MasterStatus, error) { return MasterStatus{}, nil }

// Terminate asks the master to exit (-O exit).
func (c *Client) Terminate(ctx context.Context) error { return nil }

// Stop asks the master to accept no more clients (-O stop).
func (c *Client) Stop(ctx context.Context) error { return nil }

// OpenForward asks for a forwarding (-O forward). For a Remote with port 0 it
// returns the port that the server chose, otherwise 0.
func (c *Client) OpenForward(ctx context.Context, spec forward.Spec) (port int, err error) {
	return 0, nil
}

// CloseForward asks for the end of a forwarding (-O cancel).
func (c *Client) CloseForward(ctx context.Context, spec forward.Spec) error { return nil }

// Info asks for the text of -O conninfo ("connection") or -O channels
// ("channels"), which OpenSSH's master has since version 10.
func (c *Client) Info(ctx context.Context, what string) (string, error) { return "", nil }

// NewSession asks for a session with the given standard input, output and
// error, and returns when the server has confirmed it. The descriptors stay
// the caller's; raw mode is his too.
func (c *Client) NewSession(ctx context.Context, req SessionRequest, fds [3]int) (*ClientSession, error) {
	return nil, errors.New("TODO")
}

// StdioForward asks for a connection to target that is fed from the given
// standard input and output (-W).
func (c *Client) StdioForward(ctx context.Context, target forward.Addr, fds [2]int) (*ClientSession, error) {
	return nil, errors.New("TODO")
}

// Proxy turns the connection into one that speaks SSH's connection protocol.
// It takes the Client over.
func (c *Client) Proxy(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	return nil, nil, nil, errors.New("TODO")
}

// Close closes the connection; a session on it is ended by the master.
func (c *Client) Close() error { return nil }

// Dial returns a client on the connection of the master at path.
func Dial(ctx context.Context, path string) (*ssh.Client, error) {
	return nil, errors.New("TODO")
}

// ClientSession is a session as the passenger sees it.
type ClientSession struct{}

// ID is the master's number of the session.
func (s *ClientSession) ID() uint32 { return 0 }

// MasterPID is the master's process, to which SIGWINCH is to be relayed.
func (s *ClientSession) MasterPID() int { return 0 }

// TTYFailed is closed when the server gave no terminal: raw mode has to end.
func (s *ClientSession) TTYFailed() <-chan struct{} { return nil }

// Wait returns the exit status when the session has ended. Without one it is
// 255, and the error ErrNoExitStatus. A stdio forwarding ends with 0.
func (s *ClientSession) Wait() (int, error) { return 255, nil }

// Close leaves the session; the master ends it. Wait then returns.
func (s *ClientSession) Close() error { return nil }
