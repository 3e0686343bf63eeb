// Package session runs one remote program on one SSH channel (RFC 4254,
// section 6), with the habits of os/exec:
//
//	cmd := session.Command(ctx, conn, "uname -a")
//	out, err := cmd.Output()
//
// [Cmd.Start] opens the channel and sends env, pty-req and exec together,
// without waiting for each answer; [Cmd.Wait] pumps until the channel has
// closed and tells how the program ended.
package session

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Conn is what a session needs of a connection. [ssh.Conn] satisfies it. Why
// the connection ended is learned from its Done and Err, or Wait, if it has
// them.
type Conn interface {
	OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error)
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// ended is what a connection may offer besides: why it is gone.
type ended interface {
	Done() <-chan struct{}
	Err() error
}

// agentServer is what a connection may offer besides: whether the channels to the
// agent are served. Without it they are taken to be.
type agentServer interface {
	ServesAgent(ctx context.Context) bool
}

// restricted is what a connection may offer besides: whether the server may not
// be the right one, so that nothing of ours is to be forwarded to it.
type restricted interface{ Restricted() bool }

// Canceler is a Stdin whose blocked Read, or a Stdout or Stderr whose blocked
// Write, can be ended from outside. A Stdin that has it is cancelled when the
// remote program has ended, so that no keystroke is read that belongs to
// whoever reads next; a Stdout or Stderr when the context has.
type Canceler interface{ Cancel() }

// TTY asks for a pseudo-terminal (RFC 4254, section 6.2).
type TTY struct {
	Term  string // $TERM of the local side
	Size  Size
	Modes []byte // encoded terminal modes (RFC 4254, section 8), ending in TTY_OP_END

	// Refused, if set, is called by Start when the server refuses the terminal;
	// the program is started all the same. Without it the answer is not waited
	// for.
	Refused func()
}

// Size is that of a terminal, in characters and in pixels; 0 is unknown.
type Size struct {
	Columns, Rows, Width, Height uint32
}

// EnvVar is a variable for the remote program. Servers drop those that
// their AcceptEnv does not name, without a word.
type EnvVar struct{ Name, Value string }

// Cmd is one remote program: prepared, running or ended. Its fields are set
// before Start and left alone after it. A Cmd is used once.
type Cmd struct {
	// Line is the command, sent as it is and taken apart by the user's
	// remote shell. Empty asks for a login shell.
	Line string
	// Subsystem makes Line the name of a subsystem ("sftp").
	Subsystem bool
	Env       []EnvVar
	// TTY asks for a terminal; nil for none. x/crypto lets one request of a
	// channel wait for its answer at a time, and that one is exec: a refused
	// terminal is not an error here. Without TTY.Refused it shows only in data
	// that the server sends apart as stderr (OnStderr), and in output without
	// a \r.
	TTY *TTY
	// ForwardAgent asks for agent forwarding (auth-agent-req@openssh.com). The
	// connection's owner serves the channels that come of it; a connection that
	// can tell that nothing does is not asked.
	ForwardAgent bool
	// X11 asks for X11 forwarding (RFC 4254, section 6.3.1).
	X11 *X11

	// Stdin is sent to the program; nil sends end-of-file at once. See
	// Canceler for readers that may block for ever: Wait returns without
	// them, and their goroutine ends with their next Read.
	Stdin io.Reader
	// Stdout and Stderr take what the program writes; nil discards it. When
	// a Write fails what still comes is dropped, and the server is told to
	// stop (eow@openssh.com) if it was Stdout's. A Write that blocks holds up
	// that stream alone; past the end of the context it holds up Wait too, if
	// it cannot be cancelled: see Canceler. Both are written from goroutines
	// of their own, but one writer for both (comparable with ==) is written
	// by one at a time.
	Stdout, Stderr io.Writer

	// OnOpened, if set, is called once when the server has opened the channel,
	// just before the program is asked for. Start waits for it.
	OnOpened func()

	// OnStarted, if set, is called once when the server has confirmed the
	// program's start, before any of its output is written.
	OnStarted func()
	// OnStderr, if set, is called once before the first byte of stderr.
	OnStderr func()

	caller context.Context // as given
	ctx    context.Context // from Start on: ends with caller, Close, or the end of Wait
	cancel context.CancelCauseFunc
	conn   Conn

	begun    chan struct{} // closed when Start has succeeded or failed
	startErr error         // of Start, set before begun is closed
	closed   chan struct{} // closed by Close
	closing  sync.Mutex    // orders Close and Start

	ch     ssh.Channel
	output sync.WaitGroup // stdout and stderr pumps

	exit    exitStatus
	ended   chan struct{} // closed when the channel's request stream has ended
	stopCtx func() bool   // ends the watch on ctx
	noInput atomic.Bool   // the Stdin pump is to stop
	reading sync.Mutex    // held while Stdin is read
	waited  atomic.Bool   // Wait has been called

	stdinPiped, stdoutPiped, stderrPiped bool

	gate    sync.RWMutex // held for reading while output is delivered
	stopped bool         // Wait has returned: nothing is delivered any more
	single  *sync.Mutex  // held too, if Stdout and Stderr are the same
	pumpErr errOnce      // the first failed Write to Stdout or Stderr
}

// X11 is the body of an x11-req.
type X11 struct {
	SingleConnection bool
	AuthProtocol     string // "MIT-MAGIC-COOKIE-1"
	AuthCookie       string // hexadecimal
	Screen           uint32

	// Refused, if set, is called by Start when the server refuses; the program
	// is started all the same. Without it the answer is not waited for.
	Refused func()
}

// Command prepares line to be run over conn. The end of ctx closes the
// channel, at which most servers send SIGHUP to the program; Wait then
// returns the cause of ctx.
func Command(ctx context.Context, conn Conn, line string) *Cmd {
	return newCmd(ctx, conn, line)
}

// Subsystem prepares the named subsystem (RFC 4254, section 6.5).
func Subsystem(ctx context.Context, conn Conn, name string) *Cmd {
	c := newCmd(ctx, conn, name)
	c.Subsystem = true
	return c
}

func newCmd(ctx context.Context, conn Conn, line string) *Cmd {
	return &Cmd{Line: line, caller: ctx, ctx: ctx, conn: conn,
		begun: make(chan struct{}), closed: make(chan struct{})}
}

// Run starts the program and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}
