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

// Connection is what a Server shares. *client.Client has it.
type Connection interface {
	OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error)
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
	// Forwards is where forwardings are opened and found.
	Forwards() *forward.Forwarder
	// Done is closed at the connection's end; Err then tells why it ended.
	Done() <-chan struct{}
	Err() error
	// Stats is how the connection is doing, for Client.Alive.
	Stats() keepalive.Stats
}

// Renewed is a Connection that is made again when it is lost. Its Done and Err
// are the end for good; what clients ask for goes over the one that Current
// gives, and ends with that.
type Renewed interface {
	Connection
	// Current returns the connection that is up, waiting for one if there is
	// none. Its error, which is not for the end of ctx alone, refuses what the
	// client has asked for.
	Current(ctx context.Context) (Connection, error)
	// OpenForward opens a forwarding on the connection that is up and on each
	// one to come.
	OpenForward(ctx context.Context, spec forward.Spec, opts forward.Options) (Standing, error)
	// Standing are all such forwardings.
	Standing() []Standing
	// Outage tells how the waiting goes; ok is false while there is a
	// connection.
	Outage() (o Outage, ok bool)
}

// Standing is a forwarding that outlives a connection. *client.KeptForward is
// one.
type Standing interface {
	// Spec is what was asked for.
	Spec() forward.Spec
	// Ports are those that were chosen where port 0 was asked for, the last
	// one last.
	Ports() []int
	// Forward is what is open at the moment, nil if nothing is.
	Forward() *forward.Forward
	// Await is Forward once it was tried on the connection that is up; the
	// error is why it could not be opened.
	Await(ctx context.Context) (*forward.Forward, error)
	// Stop ends it, whether it is open or not.
	Stop() error
}

// Outage is the time between two connections.
type Outage struct {
	Attempt int       // to connect: the one under way, or the next
	Next    time.Time // when that is; zero while it is under way
}

// Descriptors does what a master has to do with descriptors that a client
// passed to it. They are shared with other programs, so no implementation may
// make one non-blocking, and none closes one.
type Descriptors interface {
	// OpenInput and OpenOutput make a reader and a writer that can be ended.
	OpenInput(fd int) (Input, error)
	OpenOutput(fd int) (Output, error)
	// Size is that of the terminal at fd; ok is false if it is none.
	Size(fd int) (size session.Size, ok bool)
	// Modes are the encoded terminal modes at fd (RFC 4254, section 8).
	Modes(fd int) []byte
}

// Input reads a descriptor. Cancel ends a Read in progress and all later ones,
// and leaves what was not read to others. Close does the same, and waits until
// no Read is in progress; it may be called more than once.
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

// ServerOptions describes a master. In the zero value it serves proxy clients,
// forwards and questions, and refuses passengers, for want of Descriptors.
//
// Functions are called from the goroutines of clients, several at a time.
type ServerOptions struct {
	// Descriptors opens what passengers pass. Nil: passengers are refused.
	Descriptors Descriptors

	// Host names the server in the questions of Confirm.
	Host string

	// Confirm, if set, is asked before a session, a forwarding, a termination
	// or a stop (ControlMaster ask), with OpenSSH's question. Its context
	// ends when the client goes away.
	Confirm func(ctx context.Context, question string) bool

	// ChannelOpened, if set, is called for the socket and for each client, which
	// OpenSSH counts among the channels of the connection. The function that it
	// returns is called at the end, with the number of open channels, that one
	// included.
	ChannelOpened func(c Channel) (freed func(open int))

	// IdleTimeout, if not zero, ends the server when no client was there
	// and no forwarded connection was open for that long (ControlPersist).
	// It counts from Listen and from the moment at which the last one left.
	IdleTimeout time.Duration

	// Forward is how forwardings behave that clients open.
	Forward forward.Options

	// SessionOpened, if set, is called when the server has opened the channel of
	// a passenger's session, before the program is asked for. What it returns
	// is called at the session's end, with what Wait of cmd returned.
	SessionOpened func(cmd *session.Cmd) (ended func(err error))

	// ForwardOpened, if set, is called for each forwarding that a client asked
	// for and that is open, before the client is told.
	ForwardOpened func(spec forward.Spec, f *forward.Forward)

	// ForwardFailed, if set, is called for each forwarding that a client asked
	// for and that could not be opened, before the client is told. The text is
	// what OpenSSH calls the forwarding.
	ForwardFailed func(spec forward.Spec, text string, err error)

	// PermitEnv reports which variables of a passenger are passed on: those
	// that the master's SendEnv names. Nil: all.
	PermitEnv func(name string) bool

	// SetEnv is sent for each session of a passenger, after its own variables.
	SetEnv []session.EnvVar

	// ForwardAgent is called for each session that wants its agent forwarded
	// and says whether agent channels will be served. Nil: they will not.
	//
	// socket is the agent that the client brought (ClientOptions.AgentSocket),
	// "" for the master's own; it is a path that may lead anywhere. ctx ends
	// with the session or, in proxy mode, with the client.
	ForwardAgent func(ctx context.Context, socket string) bool

	// X11 is called for each session that wants X11 forwarded; nil as its
	// answer, or here, is no.
	X11 func(ctx context.Context) *session.X11

	// Escapes, if set, is called for each session with a terminal and an
	// escape character, before it starts. What it returns is read instead of
	// in; its Cancel must cancel in. Its Close is not called: in is closed.
	Escapes func(s *ServerSession, in Input, char byte) Input

	// Farewell, if set, gives what is written to the standard error of a
	// passenger whose session ended with err: without a status, or with output
	// that was lost; "" for nothing.
	Farewell func(err error) string

	// ConnectionInfo is the text of -O conninfo. Nil: a short one is made.
	ConnectionInfo func() string

	// Left, if set, is called when the last client that was there has left. It
	// must not block.
	Left func()

	// ReplaceStale lets Listen replace a socket of ours that nobody listens on.
	ReplaceStale bool

	// StepTimeout bounds each step in which a client has to do its part: the
	// HELLO, the rest of a message, a descriptor, taking a reply. Zero: 10 s.
	StepTimeout time.Duration

	// SilenceTimeout is how long a client without a session may say nothing.
	// Zero: one minute.
	SilenceTimeout time.Duration

	// Logger gets what happens, at debug level. Nil: nothing.
	Logger *slog.Logger
}

// ClientOptions describes an attempt to reach a master.
type ClientOptions struct {
	// HelloTimeout bounds connecting and the exchange of HELLOs. Zero: 10 s.
	HelloTimeout time.Duration

	// AgentSocket, if set, is the absolute path of the agent that sessions
	// forward in place of the master's. Only a master of ours takes one: see
	// [Client.TakesAgent].
	AgentSocket string

	// RemoveStale unlinks a socket of ours that nobody listens on, so that
	// a new master can take its place. The error stays ErrStale.
	RemoveStale bool

	// Logger gets what happens, at debug level. Nil: nothing.
	Logger *slog.Logger
}

// SessionRequest is what a passenger asks for.
type SessionRequest struct {
	TTY       bool // a terminal, like the one at the passed descriptor 0
	X11       bool
	Agent     bool
	Subsystem bool // Command names a subsystem

	// EscapeChar, if above 0, is watched for by the master at line starts.
	EscapeChar int

	Term    string // $TERM
	Command string // empty: a login shell
	Env     []session.EnvVar
}

// MasterStatus answers "are you there".
type MasterStatus struct {
	// PID is the master's process.
	PID int

	// Known says that the rest is: OpenSSH's master does not tell it.
	Known bool
	State string // as keepalive.State prints it
	// Silence is how long ago the server was last heard, RTT the smoothed
	// time from keepalive to answer, 0 if there was none yet.
	Silence time.Duration
	RTT     time.Duration
	// Attempt is not 0 while there is no connection, and the master is to make
	// another: it counts the attempts. Next is the time until this one, 0 if it
	// is under way.
	Attempt int
	Next    time.Duration
}
