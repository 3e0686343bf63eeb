package sshtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/sshtest/faultnet"
)

// ErrServerClosed is the error of connections that Server.Close ended.
var ErrServerClosed = errors.New("sshtest: server closed")

// DefaultUser is the user of a server without Options.Users.
const DefaultUser = "test"

// Server is a running SSH server. Its methods may be called from any
// goroutine.
type Server struct {
	// ClientKey is a new ed25519 key. DefaultUser may log in with it.
	ClientKey ssh.Signer

	clientKeyPEM []byte
	opts         Options
	log          *slog.Logger
	hostKeys     []ssh.Signer
	users        map[string]*User
	ln           net.Listener
	journal      *journal

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // the accept loop and the connections

	mu     sync.Mutex
	closed bool
	lastID int
	conns  []*Conn // the connections that have authenticated
}

// Start starts a server, which runs until Close. A nil o is the same as the zero
// Options. Tests call [NewServer].
func Start(o *Options) (*Server, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	switch opts.Faults.Disconnect.At {
	case StageNone, StageVersion, StageAuth, StageSession:
	default:
		return nil, errors.New("sshtest: Faults.Disconnect is not possible at that stage")
	}
	key, pem, err := newClientKey()
	if err != nil {
		return nil, err
	}
	s := &Server{ClientKey: key, clientKeyPEM: pem, opts: opts, log: opts.Log, journal: newJournal()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.hostKeys = slices.Clone(opts.HostKeys)
	if len(s.hostKeys) == 0 {
		hk, err := NewSigner(ssh.KeyAlgoED25519)
		if err != nil {
			return nil, err
		}
		s.hostKeys = []ssh.Signer{hk}
	}
	if len(s.opts.Users) == 0 {
		s.opts.Users = []User{{Name: DefaultUser, Keys: []ssh.PublicKey{key.PublicKey()}}}
	}
	s.users = make(map[string]*User)
	for i := range s.opts.Users {
		s.users[s.opts.Users[i].Name] = &s.opts.Users[i]
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	if opts.NoListen {
		return s, nil
	}
	addr := opts.Listen
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s.ln, err = net.Listen("tcp", addr)
	if err != nil {
		s.cancel(ErrServerClosed)
		return nil, fmt.Errorf("sshtest: %w", err)
	}
	s.wg.Go(s.acceptLoop)
	return s, nil
}

// acceptLoop serves each connection. It ends when the listener is closed.
func (s *Server) acceptLoop() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.serveInBackground(nc)
	}
}

// serveInBackground serves nc in a goroutine, which ends with nc.
func (s *Server) serveInBackground(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	s.wg.Go(func() { s.serve(nc) })
}

// ServeConn serves nc until it ends, closes it, and returns the reason.
func (s *Server) ServeConn(nc net.Conn) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		nc.Close()
		return ErrServerClosed
	}
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	return s.serve(nc)
}

// Pipe returns the client's end of a new connection in memory, whose other end
// is served.
func (s *Server) Pipe() net.Conn {
	client, server := faultnet.Pipe()
	s.serveInBackground(server)
	return client
}

// Close closes the listener and all connections, kills the processes, and waits
// for all goroutines of the server. Handlers must return when their session's
// context ends.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(ErrServerClosed)
	if s.ln != nil {
		s.ln.Close()
	}
	s.wg.Wait()
	return nil
}

// Addr returns host:port of the listener. Without one it is "127.0.0.1:22",
// which is also the address of Pipe.
func (s *Server) Addr() string {
	if s.ln == nil {
		return "127.0.0.1:22"
	}
	return s.ln.Addr().String()
}

// Port returns the port of Addr.
func (s *Server) Port() int {
	if s.ln == nil {
		return 22
	}
	return s.ln.Addr().(*net.TCPAddr).Port
}

// HostKeys returns the server's host keys.
func (s *Server) HostKeys() []ssh.Signer { return slices.Clone(s.hostKeys) }

// HostKey returns the first host key's public half.
func (s *Server) HostKey() ssh.PublicKey { return s.hostKeys[0].PublicKey() }

// KnownHosts returns lines for a known_hosts file, one for each host key. For a
// certificate it is a @cert-authority line.
func (s *Server) KnownHosts() string {
	host, _, _ := net.SplitHostPort(s.Addr())
	if p := s.Port(); p != 22 {
		host = fmt.Sprintf("[%s]:%d", host, p)
	}
	var b strings.Builder
	for _, k := range s.hostKeys {
		pub, mark := k.PublicKey(), ""
		if cert, ok := pub.(*ssh.Certificate); ok {
			pub, mark = cert.SignatureKey, "@cert-authority "
		}
		fmt.Fprintf(&b, "%s%s %s", mark, host, ssh.MarshalAuthorizedKey(pub))
	}
	return b.String()
}

// ClientConfig returns a configuration for x/crypto's client, which logs in as
// DefaultUser with ClientKey and accepts only the first host key.
func (s *Server) ClientConfig() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:            DefaultUser,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(s.ClientKey)},
		HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	}
}

// Conns returns the connections that have authenticated, including those that
// have ended.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// WaitConn returns the n-th connection, from 1, and waits until it has
// authenticated.
func (s *Server) WaitConn(ctx context.Context, n int) (*Conn, error) {
	if err := s.Wait(ctx, func() bool { return len(s.Conns()) >= n }); err != nil {
		return nil, err
	}
	return s.Conns()[n-1], nil
}

// TB is the part of testing.TB that NewServer uses. This package does not import
// package testing, so that programs may link it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// NewServer starts a server for a test and closes it when the test ends. A nil o
// is the same as the zero Options.
func NewServer(tb TB, o *Options) *Server {
	tb.Helper()
	s, err := Start(o)
	if err != nil {
		tb.Fatalf("start SSH server: %v", err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}
