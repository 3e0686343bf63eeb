package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// MasterOptions are the options of a Master.
type MasterOptions struct {
	Print   *message.Printer
	Config  *sshconfig.Config
	Back    *backchannel.Forwarding
	Forward forward.Options // for the forwardings of clients
	Persist bool            // the process exists for its clients only (ControlPersist)
}

// Master shares the connection of this process, or with Reconnect the connections
// that follow one another, with clients at ControlPath. It listens from the first
// [Master.Share] until [Master.Close].
type Master struct {
	options MasterOptions
	srv     *mux.Server // nil while nothing is shared
	stop    func()      // ends the relaying of sizes

	mu     sync.Mutex
	client *client.Client // the latest connection
	began  time.Time      // when client was connected
	back   *backward      // over client
}

// NewMaster returns a Master that does not listen yet.
func NewMaster(o MasterOptions) *Master { return &Master{options: o} }

// Share shares a connection. kept is nil without Reconnect. It returns false if
// another master is there already, or if the system has no control sockets. quit
// is called with [message.ErrQuit] when a client asks the master to exit, or when
// nothing is left that the process exists for.
func (m *Master) Share(ctx context.Context, c *client.Client, kept *client.Kept, quit context.CancelCauseFunc) (bool, error) {
	m.Renew(c)
	if m.srv != nil {
		return true, nil
	}
	var conn mux.Connection = c
	if kept != nil {
		conn = keptConn{m, kept}
	}
	path := m.options.Config.ControlPath
	srv, err := mux.Listen(ctx, path, conn, m.serverOptions())
	switch {
	case err == nil:
	case errors.Is(err, mux.ErrExists) && m.options.Persist:
		return false, nil // another process was faster, and will do as well
	case errors.Is(err, mux.ErrExists):
		m.options.Print.Errorf("ControlSocket %s already exists, disabling multiplexing", path)
		return false, nil
	case errors.Is(err, mux.ErrUnsupported):
		m.options.Print.Errorf("Connections cannot be shared on this system, disabling multiplexing")
		return false, nil
	default:
		return false, message.ListenError(path, err)
	}
	m.srv, m.stop = srv, relayResizes(srv)
	go m.awaitExit(quit)
	return true, nil
}

// Renew makes c the latest connection, unless c has ended already: then another
// may have followed it.
func (m *Master) Renew(c *client.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == c || m.client != nil && c.Err() != nil {
		return
	}
	if m.back != nil {
		m.back.close()
	}
	m.client, m.began = c, time.Now()
	m.back = &backward{Forwarding: m.options.Back, client: c}
}

// information returns the answer to -O conninfo.
func (m *Master) information() string {
	m.mu.Lock()
	c, began := m.client, m.began
	m.mu.Unlock()
	return m.options.Print.Information(c, began)
}

// rekey begins a key exchange on the latest connection.
func (m *Master) rekey() error {
	m.mu.Lock()
	c := m.client
	m.mu.Unlock()
	return c.Rekey()
}

// backward returns the backchannels of the latest connection.
func (m *Master) backward() *backward {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.back
}

// awaitExit calls quit when a client asks the master to exit, or when nothing is
// left that the process exists for. It ends with the server.
func (m *Master) awaitExit(quit context.CancelCauseFunc) {
	<-m.srv.Done()
	// With -N, and for a master that persists, nothing else would end the process
	// after -O stop, or when ControlPersist has expired.
	alone := m.options.Persist || m.options.Config.SessionType == sshconfig.SessionNone
	switch err := m.srv.Err(); {
	case errors.Is(err, mux.ErrTerminated), alone && errors.Is(err, mux.ErrStopped), errors.Is(err, mux.ErrIdle):
		quit(message.ErrQuit)
	}
}

// Done returns a channel that is closed when the Master has stopped serving
// clients. The Master has to be listening.
func (m *Master) Done() <-chan struct{} { return m.srv.Done() }

// Backchannels returns what forwards the agent and the display over the latest
// connection, for the session of this process.
func (m *Master) Backchannels() Backchannels { return m.backward() }

// Backchannels forward the agent and the display for a session.
type Backchannels interface {
	// ForwardAgent reports whether the session has to request agent forwarding.
	ForwardAgent(ctx context.Context) (bool, error)
	// ForwardX11 returns what the session has to request, nil if nothing. number
	// returns the number of the session's channel for messages.
	ForwardX11(ctx context.Context, number func() int) (*session.X11, error)
	// RefuseUnrequested refuses the channels that nothing has been set up for.
	RefuseUnrequested(c *client.Client)
	// Close ends what belongs to the session alone.
	Close() error
}

// Close removes the socket and ends the sessions of clients. It does nothing if
// the Master does not listen.
func (m *Master) Close() {
	if m.srv == nil {
		return
	}
	m.stop()
	m.srv.Close()
	m.backward().close()
}

// relayResizes makes the server ask for the sizes of the clients' terminals when a
// client sends SIGWINCH, until stop is called.
func relayResizes(srv *mux.Server) (stop func()) {
	caught := make(chan os.Signal, 1)
	if sig := resizeSignal(); sig != nil {
		signal.Notify(caught, sig)
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-caught:
				srv.Resize()
			case <-done:
				return
			}
		}
	}()
	return sync.OnceFunc(func() { signal.Stop(caught); close(done) })
}

// serverOptions returns how clients are served.
func (m *Master) serverOptions() mux.ServerOptions {
	print, cfg := m.options.Print, m.options.Config
	o := mux.ServerOptions{
		Descriptors:   descriptors{},
		Host:          cfg.HostName,
		Forward:       m.options.Forward,
		SessionOpened: m.sessionOpened,
		ForwardOpened: print.ClientForwardOpened,
		ChannelOpened: print.MasterChannel,
		ForwardFailed: print.ClientForwardFailed,
		PermitEnv:     func(name string) bool { return task.SendsEnv(cfg, name) },
		SetEnv:        task.SetEnvironment(cfg),
		ForwardAgent:  func(ctx context.Context, socket string) bool { return m.backward().clientAgent(ctx, socket) },
		X11:           func(ctx context.Context) *session.X11 { return m.backward().clientX11(ctx) },
		ExitMessage:   m.exitMessage,
		Escapes:       m.escapes,
		ReplaceStale:  true,

		ConnectionInfo: m.information,
		ClientsLeft:    new(process.IdleCollector).Schedule,

		Logger: print.Logger(),
	}
	if m.options.Persist {
		o.IdleTimeout = cfg.ControlPersist.Timeout
	}
	switch cfg.ControlMaster {
	case sshconfig.ControlMasterAsk, sshconfig.ControlMasterAutoAsk:
		ask := prompt.NewAsker(print)
		o.Confirm = func(ctx context.Context, question string) bool {
			yes, err := ask.Confirm(ctx, message.Printable(question))
			return yes && err == nil
		}
	}
	return o
}

// exitMessage returns what a client prints when a lost connection has ended its
// session. A master in the background has no other place to print it.
func (m *Master) exitMessage(err error) string {
	var output *session.OutputError
	var words strings.Builder
	print := message.Printer{Console: message.NewConsole(&words), Program: m.options.Print.Program, Config: m.options.Config}
	print.SetLevel(m.options.Print.Level())
	switch {
	case errors.As(err, &output):
		print.OutputLost(output)
	case IsLost(err):
		print.Failure(err)
	}
	return words.String()
}

// descriptors opens the descriptors that clients pass.
type descriptors struct{}

func (descriptors) OpenInput(fd int) (mux.Input, error)   { return terminal.NewInput(fd) }
func (descriptors) OpenOutput(fd int) (mux.Output, error) { return terminal.NewOutput(fd) }
func (descriptors) Modes(fd int) []byte                   { return terminal.Modes(fd) }

func (descriptors) Size(fd int) (session.Size, bool) {
	size, err := terminal.GetSize(fd)
	return task.Size(size), err == nil
}

// escapes handles the escapes that a client's user types.
func (m *Master) escapes(session *mux.ServerSession, in mux.Input, char byte) mux.Input {
	return escapeInput{keyboard.NewEscapes(in, char, clientActions{session, m.information, m.rekey}), in}
}

// escapeInput closes the input that its Escapes read.
type escapeInput struct {
	*keyboard.Escapes
	in mux.Input
}

func (e escapeInput) Close() error { return e.in.Close() }

// clientActions does what escapes ask for, as far as a master can do it for the
// terminal of a client.
type clientActions struct {
	s               *mux.ServerSession
	info            func() string // of the connection
	rekeyConnection func() error
}

func (a clientActions) Say(text string)    { io.WriteString(a.s.Stderr(), text) }
func (a clientActions) Terminate()         { a.s.Close() }
func (a clientActions) Rekey() error       { return a.rekeyConnection() }
func (a clientActions) SendBreak()         { a.s.Command().Break(keyboard.BreakLength) }
func (a clientActions) Suspend()           {}
func (a clientActions) CommandLine()       {}
func (clientActions) HasCommandLine() bool { return false }

func (a clientActions) Louder(int) sshconfig.LogLevel { return sshconfig.LogInfo }

// Lacks reports whether an escape is not available to clients.
func (clientActions) Lacks(ch byte) bool {
	return ch == keyboard.CtrlZ || ch == '&' || ch == 'C' || ch == 'V' || ch == 'v'
}

func (a clientActions) Information() string { return a.info() }

func (a clientActions) Connections() string {
	return fmt.Sprintf("The following connections are open:\r\n  #%d client-session\r\n", a.s.ID())
}

// AwaitClients stops listening and waits until the sessions of clients have ended.
// end is how serving ended; err is the cause of ctx.
func (m *Master) AwaitClients(ctx context.Context) (end, err error) {
	m.srv.Stop()
	select {
	case <-m.srv.Done():
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // which may be what has ended the server
		return nil, context.Cause(ctx)
	}
	return m.srv.Err(), nil
}

// IsLost reports whether err is the end of a connection that was established.
func IsLost(err error) bool {
	var conn *client.ConnError
	return errors.As(err, &conn) && conn.Phase == client.PhaseConnected
}

// sessionOpened prints what a client's session requests, and later how it ended.
func (m *Master) sessionOpened(cmd *session.Cmd) (ended func(error)) {
	m.mu.Lock()
	forwards := m.client.Forwards()
	m.mu.Unlock()
	number, free := forwards.Number()
	m.options.Print.ChannelOpened(number, "session", message.SessionChannel)
	m.options.Print.SessionRequests(number, cmd)
	return func(err error) { m.options.Print.SessionEnded(number, message.ExitRequest(err), free()) }
}
