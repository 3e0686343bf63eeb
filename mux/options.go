package mux

import (
	"context"
	"io"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
)

// Connection is a connection that a Server shares. *client.Client implements it.
type Connection interface {
	OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error)
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
	// Forwards returns the Forwarder that opens and lists forwardings.
	Forwards() *forward.Forwarder
	// Done returns a channel that is closed when the connection has ended. Err
	// then returns the cause.
	Done() <-chan struct{}
	Err() error
	// Stats returns the state of the connection, for Client.Alive.
	Stats() keepalive.Stats
}

// ReconnectingConn is a Connection that is established again when it is lost. Done
// and Err report its final end. Requests of clients use the connection that Current
// returns, and end with it.
type ReconnectingConn interface {
	Connection
	// Current returns the connection that is up, and waits for it if there is
	// none. If it returns an error, the client's request is refused.
	Current(ctx context.Context) (Connection, error)
	// OpenForward opens a forwarding on the connection that is up and on each
	// later one.
	OpenForward(ctx context.Context, spec forward.Spec, opts forward.Options) (PersistentForward, error)
	// PersistentForwards returns all forwardings that OpenForward has opened.
	PersistentForwards() []PersistentForward
	// Outage describes the current outage. ok is false while there is a
	// connection.
	Outage() (o Outage, ok bool)
}

// PersistentForward is a forwarding that outlives a connection.
// *client.KeptForward implements it.
type PersistentForward interface {
	// Spec returns the specification that was requested.
	Spec() forward.Spec
	// Ports returns the ports that the server has chosen for port 0, the latest
	// one last.
	Ports() []int
	// Forward returns the forward that is open now, or nil.
	Forward() *forward.Forward
	// Await waits until the forwarding was tried on the current connection, and
	// then returns it, or the error of the attempt.
	Await(ctx context.Context) (*forward.Forward, error)
	// Stop ends the forwarding, whether it is open or not.
	Stop() error
}

// Outage is the time between two connections.
type Outage struct {
	Attempt int       // the number of the current or next attempt to connect
	Next    time.Time // the time of the next attempt; zero during an attempt
}

// Descriptors opens the descriptors that clients pass to a master. Other programs
// share them, so an implementation must not make one non-blocking or close it.
type Descriptors interface {
	// OpenInput and OpenOutput return a reader and a writer that can be canceled.
	OpenInput(fd int) (Input, error)
	OpenOutput(fd int) (Output, error)
	// Size returns the size of the terminal at fd. ok is false if it is not a
	// terminal.
	Size(fd int) (size session.Size, ok bool)
	// Modes returns the terminal modes at fd, encoded as in RFC 4254, section 8.
	Modes(fd int) []byte
}

// Input reads a descriptor. Cancel ends the current Read and all later ones, and
// leaves unread data to other programs. Close does the same, and waits until no
// Read is in progress. It may be called more than once.
type Input interface {
	io.Reader
	Cancel()
	io.Closer
}

// Output writes to a descriptor. Cancel and Close are as in Input.
type Output interface {
	io.Writer
	Cancel()
	io.Closer
}

// Channel is something that OpenSSH counts as a channel.
type Channel struct {
	Number int
	Kind   string // "mux listener" or "mux-control"
	Name   string // the path of the listener
}

// ServerOptions are the options of a master. A Server with the zero ServerOptions
// refuses passengers, and serves all other requests.
//
// The functions are called by the goroutines of clients, several at a time.
type ServerOptions struct {
	// Descriptors opens the descriptors of passengers. If it is nil, passengers
	// are refused.
	Descriptors Descriptors

	// Host is the name of the server in the questions of Confirm.
	Host string

	// Confirm, if set, is called with OpenSSH's question before a session, a
	// forwarding, a termination or a stop (ControlMaster ask). Its context ends
	// when the client leaves.
	Confirm func(ctx context.Context, question string) bool

	// ChannelOpened, if set, is called for the socket and for each client, which
	// OpenSSH counts among the channels of the connection. The function that it
	// returns is called at the end, with the number of open channels, that one
	// included.
	ChannelOpened func(c Channel) (freed func(open int))

	// IdleTimeout, if not zero, ends the server after that time without clients
	// and forwarded connections (ControlPersist). It starts with Listen, and again
	// when the last of them has ended.
	IdleTimeout time.Duration

	// Forward are the options of the forwardings that clients open.
	Forward forward.Options

	// SessionOpened, if set, is called when the server has opened the channel of
	// a passenger's session, before the program is requested. The function that it
	// returns is called at the end of the session, with the error of cmd.Wait.
	SessionOpened func(cmd *session.Cmd) (ended func(err error))

	// ForwardOpened, if set, is called for each forwarding that was opened for a
	// client, before the client gets the answer.
	ForwardOpened func(spec forward.Spec, f *forward.Forward)

	// ForwardFailed, if set, is called for each forwarding that could not be opened
	// for a client, before the client gets the answer. text describes the
	// forwarding as OpenSSH does.
	ForwardFailed func(spec forward.Spec, text string, err error)

	// PermitEnv reports whether a variable of a passenger is sent to the server:
	// if the master's SendEnv names it. If PermitEnv is nil, all are sent.
	PermitEnv func(name string) bool

	// SetEnv are variables that are sent for each session of a passenger, after
	// the passenger's variables.
	SetEnv []session.EnvVar

	// ForwardAgent is called for each session that requests agent forwarding. It
	// reports whether agent channels will be served. If it is nil, they are not.
	//
	// socket is the agent of the client (ClientOptions.AgentSocket), or "" for the
	// agent of the master. The path comes from the client and may be any path. ctx
	// ends with the session or, in proxy mode, with the client.
	ForwardAgent func(ctx context.Context, socket string) bool

	// X11 is called for each session that requests X11 forwarding. If it is nil,
	// or returns nil, X11 is not forwarded.
	X11 func(ctx context.Context) *session.X11

	// Escapes, if set, is called before each session with a terminal and an escape
	// character. The session reads the Input that it returns in place of in. Its
	// Cancel must cancel in. Its Close is not called, since in is closed.
	Escapes func(s *ServerSession, in Input, char byte) Input

	// ExitMessage, if set, returns the text to write to the standard error of a
	// passenger whose session ended with err: without a status, or with output
	// that was lost.
	ExitMessage func(err error) string

	// ConnectionInfo, if set, returns the answer to -O conninfo. The default is a
	// short text.
	ConnectionInfo func() string

	// ClientsLeft, if set, is called when the last client has left. It must not
	// block.
	ClientsLeft func()

	// ReplaceStale lets Listen replace a socket of the same user on which no
	// process listens.
	ReplaceStale bool

	// StepTimeout bounds the time that a client may take to send its HELLO, the
	// rest of a message or a descriptor, and to read a reply. The default is 10
	// seconds.
	StepTimeout time.Duration

	// SilenceTimeout bounds the time in which a client without a session sends
	// nothing. The default is one minute.
	SilenceTimeout time.Duration

	// Logger, if set, gets debug messages.
	Logger *slog.Logger
}

// ClientOptions are the options of Connect.
type ClientOptions struct {
	// HelloTimeout bounds connecting and the exchange of HELLOs. The default is 10
	// seconds.
	HelloTimeout time.Duration

	// AgentSocket, if set, is the absolute path of the agent that sessions
	// forward in place of the master's agent. Only a master of gossh supports
	// this: see [Client.TakesAgent].
	AgentSocket string

	// RemoveStale removes a socket of the same user on which no process listens,
	// so that a new master can use the path. Connect still returns ErrStale.
	RemoveStale bool

	// Logger, if set, gets debug messages.
	Logger *slog.Logger
}

// SessionRequest describes the session that a passenger requests.
type SessionRequest struct {
	TTY       bool // a terminal, like the one at the passed descriptor 0
	X11       bool
	Agent     bool
	Subsystem bool // Command names a subsystem

	// EscapeChar, if above 0, is the character that begins an escape at the start
	// of a line. The master handles escapes.
	EscapeChar int

	Term    string // $TERM
	Command string // empty: a login shell
	Env     []session.EnvVar
}

// MasterStatus is the answer to -O check.
type MasterStatus struct {
	// PID is the process id of the master.
	PID int

	// Known reports whether the fields below are set. OpenSSH's master does not
	// send them.
	Known bool
	State string // as keepalive.State prints it
	// Silence is the time since the last data from the server. RTT is the
	// smoothed round-trip time of keepalives, or 0 before the first answer.
	Silence time.Duration
	RTT     time.Duration
	// Attempt is 0 while there is a connection. In an outage it is the number of
	// the current or next attempt to connect. Next is the time until then, or 0
	// during an attempt.
	Attempt int
	Next    time.Duration
}
