// Package session runs one remote program on one SSH channel (RFC 4254,
// section 6), with the habits of os/exec:
//
//	cmd := session.Command(ctx, conn, "uname -a")
//	out, err := cmd.Output()
//
// [Cmd.Start] opens the channel and sends env, pty-req and exec together,
// without waiting for each answer. [Cmd.Wait] copies input and output until the
// channel has closed, and returns how the program ended.
//
// The context given to [Command] governs all of it. If it ends, the channel is
// closed, at which most servers send SIGHUP to the program, and every blocked
// call returns. The errors match both the context's Err and its cause.
package session

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Conn is the part of a connection that a session uses. [ssh.Conn] implements
// it. If the connection also has Done and Err, or Wait, they say why it ended.
type Conn interface {
	OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error)
	SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// ended is an optional part of Conn. Err returns why the connection ended.
type ended interface {
	Done() <-chan struct{}
	Err() error
}

// agentServer is an optional part of Conn. ServesAgent reports whether something
// serves the agent channels that the server opens; without it, Start assumes so.
type agentServer interface {
	ServesAgent(ctx context.Context) bool
}

// restricted is an optional part of Conn. Restricted reports whether the server's
// identity is in doubt, so that nothing may be forwarded to it.
type restricted interface{ Restricted() bool }

// Canceler is implemented by a Stdin whose blocked Read, or a Stdout or Stderr
// whose blocked Write, Cancel unblocks. Stdin is cancelled when the remote program
// has ended, so that it takes no input that is meant for the next reader. Stdout
// and Stderr are cancelled when the context has ended.
type Canceler interface{ Cancel() }

// TTY describes a pseudo-terminal (RFC 4254, section 6.2).
type TTY struct {
	Term string // the terminal's type, such as "xterm-256color"
	Size Size
	// Modes are the terminal modes (RFC 4254, section 8). The server has defaults
	// for those that are missing.
	Modes ssh.TerminalModes
	// EncodedModes, if not empty, are sent in place of Modes: modes in their
	// encoded form, which ends in TTY_OP_END.
	EncodedModes []byte

	// Refused, if set, is called by Start when the server refuses the terminal;
	// the program is started nevertheless. If it is nil, Start does not wait for
	// the answer.
	Refused func()
}

// Size is the size of a terminal in characters and in pixels. Zero means unknown.
type Size struct {
	Columns, Rows, Width, Height uint32
}

// EnvVar is an environment variable for the remote program. OpenSSH's server
// silently ignores variables that its AcceptEnv does not name.
type EnvVar struct{ Name, Value string }

// Cmd is a remote program that is prepared, running or has ended. Its fields must
// not be changed after Start. A Cmd cannot be used twice.
type Cmd struct {
	// Line is the command. It is sent as it is; the user's remote shell parses
	// it. If it is empty, a login shell is started.
	Line string
	// Subsystem makes Line the name of a subsystem ("sftp").
	Subsystem bool
	// Env is set for the program, as far as the server permits.
	Env []EnvVar
	// TTY requests a terminal. Nil requests none. A server that refuses it starts
	// the program without; see TTY.Refused.
	TTY *TTY
	// ForwardAgent requests agent forwarding (auth-agent-req@openssh.com), unless
	// the connection reports that nothing serves the agent channels.
	ForwardAgent bool
	// X11 requests X11 forwarding (RFC 4254, section 6.3.1).
	X11 *X11

	// Stdin is sent to the program. If it is nil, the program reads end-of-file.
	// Wait does not wait for a blocked Read; the goroutine that reads ends when
	// that Read returns. See Canceler.
	Stdin io.Reader
	// Stdout and Stderr receive what the program writes. If they are nil, it is
	// discarded. After a failed Write the rest is discarded, too; if it was
	// Stdout's, the server is asked to stop the program's output
	// (eow@openssh.com). A blocked Write holds up its own stream only. When the
	// context has ended, it also holds up Wait, unless it can be cancelled; see
	// Canceler. Stdout and Stderr are written from different goroutines; if they
	// are equal (==), by one at a time.
	Stdout, Stderr io.Writer

	// OnOpened, if set, is called once when the server has opened the channel,
	// before Start requests anything on it.
	OnOpened func()

	// OnStarted, if set, is called once when the server has confirmed the start
	// of the program, before any output is written.
	OnStarted func()
	// OnStderr, if set, is called once before the first byte of stderr.
	OnStderr func()

	caller context.Context // as given to Command
	ctx    context.Context // from Start on: ends with caller, Close, or Wait
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
	noInput atomic.Bool   // the Stdin pump must stop
	reading sync.Mutex    // held while Stdin is read
	waited  atomic.Bool   // Wait has been called

	stdinPiped, stdoutPiped, stderrPiped bool

	gate    sync.RWMutex // held for reading while output is delivered
	stopped bool         // Wait has returned, nothing may be delivered
	single  *sync.Mutex  // also held if Stdout and Stderr are the same
	pumpErr errOnce      // the first failed Write to Stdout or Stderr
}

// X11 describes an X11 forwarding (x11-req).
type X11 struct {
	SingleConnection bool
	AuthProtocol     string // "MIT-MAGIC-COOKIE-1"
	AuthCookie       string // hexadecimal
	Screen           uint32

	// Refused, if set, is called by Start when the server refuses; the program is
	// started nevertheless. If it is nil, Start does not wait for the answer.
	Refused func()
}

// Command returns a Cmd that runs line over conn. If ctx ends, the channel is
// closed and Wait returns the error of ctx.
func Command(ctx context.Context, conn Conn, line string) *Cmd {
	return newCmd(ctx, conn, line)
}

// Subsystem returns a Cmd that runs the named subsystem (RFC 4254, section 6.5).
func Subsystem(ctx context.Context, conn Conn, name string) *Cmd {
	c := newCmd(ctx, conn, name)
	c.Subsystem = true
	return c
}

func newCmd(ctx context.Context, conn Conn, line string) *Cmd {
	return &Cmd{Line: line, caller: ctx, ctx: ctx, conn: conn,
		begun: make(chan struct{}), closed: make(chan struct{})}
}

// Run starts the program and waits until it has ended.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}
