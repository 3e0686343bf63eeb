package cli

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
	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/prompt"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// wantsMaster says whether this invocation, if it makes a connection, shares
// it.
func (p *program) wantsMaster() bool {
	return p.cfg.ControlPath != "" && p.flags.control == "" && p.cfg.ControlMaster != sshconfig.ControlMasterNo
}

// persists says whether the master is to outlive the session: then it is a
// process of its own from the start, and this one its first client.
func (p *program) persists() bool { return p.wantsMaster() && p.cfg.ControlPersist.Enabled }

// masterVariable tells a child that it is such a process.
const masterVariable = "GOSSH_MASTER"

// isMaster says that this process is one. It is asked once: the variable is
// not for those that this process starts.
func isMaster() bool {
	defer os.Unsetenv(masterVariable)
	return os.Getenv(masterVariable) != ""
}

// start runs the session over a master, or over a connection of its own.
func (p *program) start(ctx context.Context) (int, error) {
	process.EaseCollector()
	if p.master = isMaster(); p.master {
		return p.connect(ctx)
	}
	status, found, err := p.attach(ctx)
	if err != nil || found == sharingDone {
		return status, err
	}
	if found == sharingVacant && p.persists() && !p.repeats() {
		ready, status, err := p.background().Start(masterVariable + "=1")
		if err != nil || !ready {
			return status, err
		}
		if p.cfg.SessionType == sshconfig.SessionNone && p.cfg.StdioForward.IsZero() {
			return 0, nil // -N: the master is all that was asked for
		}
		mc, _, err := p.connectMaster(ctx)
		if mc != nil {
			status, found, err := p.rideAlong(ctx, mc)
			if err != nil || found == sharingDone {
				return status, err
			}
		} else if err != nil {
			return 0, err
		}
	}
	return p.connect(ctx)
}

// shared is a connection that this process is the master of, or with Reconnect
// the connections that follow one another.
type shared struct {
	p    *program
	srv  *mux.Server
	stop func() // ends the relaying of sizes

	mu    sync.Mutex
	conn  *client.Client // the latest
	began time.Time      // of conn
	back  *backward      // of conn
}

// share makes a connection that is up the master's. It is nil if nothing is
// shared.
func (p *program) share(ctx context.Context, c *client.Client) (*shared, error) {
	switch {
	case !p.wantsMaster():
		return nil, nil
	case p.shared != nil:
		p.shared.renew(c)
		return p.shared, nil
	}
	s := &shared{p: p}
	s.renew(c)
	var conn mux.Connection = c
	if p.kept != nil {
		conn = keptConn{s}
	}
	var err error
	s.srv, err = mux.Listen(ctx, p.cfg.ControlPath, conn, s.options())
	switch {
	case err == nil:
	case errors.Is(err, mux.ErrExists) && p.master:
		return nil, nil // another was quicker, and will do as well
	case errors.Is(err, mux.ErrExists):
		p.print.Errorf("ControlSocket %s already exists, disabling multiplexing", p.cfg.ControlPath)
		return nil, nil
	case errors.Is(err, mux.ErrUnsupported):
		p.print.Errorf("Connections cannot be shared on this system, disabling multiplexing")
		return nil, nil
	default:
		return nil, message.ListenError(p.cfg.ControlPath, err)
	}
	p.shared, s.stop = s, relayedResizes(s.srv)
	go s.awaitExit()
	return s, nil
}

// renew says which connection is up. Of one that has ended since, and that
// another may have followed, nothing is to be learned.
func (s *shared) renew(c *client.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c || s.conn != nil && c.Err() != nil {
		return
	}
	if s.back != nil {
		s.back.close()
	}
	s.conn, s.back, s.began = c, &backward{p: s.p, c: c}, time.Now()
}

// information is the text of -O conninfo.
func (s *shared) information() string {
	s.mu.Lock()
	c, began := s.conn, s.began
	s.mu.Unlock()
	return s.p.print.Information(c, began)
}

// backward is what the server may open over the latest connection.
func (s *shared) backward() *backward {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.back
}

// awaitExit ends this invocation when a client asks the master to exit, or when
// there is nothing left that it is for, connected or not. It ends with the
// server.
func (s *shared) awaitExit() {
	<-s.srv.Done()
	// With -N, and for a master that persists, nothing else would be the end
	// after -O stop, or when the time of ControlPersist is up.
	alone := s.p.master || s.p.cfg.SessionType == sshconfig.SessionNone
	switch err := s.srv.Err(); {
	case errors.Is(err, mux.ErrTerminated), alone && errors.Is(err, mux.ErrStopped), errors.Is(err, mux.ErrIdle):
		s.p.quit(message.ErrQuit)
	}
}

// close ends the socket and the sessions of clients.
func (s *shared) close() {
	s.stop()
	s.srv.Close()
	s.backward().close()
}

// relayedResizes passes SIGWINCH on, which clients send for their terminals.
// The goroutine ends with the function that it returns.
func relayedResizes(srv *mux.Server) (stop func()) {
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
	return func() { signal.Stop(caught); close(done) }
}

// options say how passengers are served.
func (s *shared) options() mux.ServerOptions {
	p := s.p
	o := mux.ServerOptions{
		Descriptors:   passed{},
		Host:          p.cfg.HostName,
		Forward:       p.forwardOptions(),
		SessionOpened: s.sessionOpened,
		ForwardOpened: p.print.ClientForwardOpened,
		ForwardFailed: p.print.ClientForwardFailed,
		PermitEnv:     func(name string) bool { return matchesAny(p.cfg.SendEnv, name) },
		SetEnv:        p.setEnvironment(),
		ForwardAgent:  func(ctx context.Context, socket string) bool { return s.backward().passengerAgent(ctx, socket) },
		X11:           func(ctx context.Context) *session.X11 { return s.backward().passengerX11(ctx) },
		Farewell:      p.farewell,
		Escapes:       s.passengerEscapes,
		ReplaceStale:  true,

		ConnectionInfo: s.information,
		Left:           new(process.IdleCollector).Schedule,

		Logger: p.print.Logger(),
	}
	if p.master {
		o.IdleTimeout = p.cfg.ControlPersist.Timeout
	}
	switch p.cfg.ControlMaster {
	case sshconfig.ControlMasterAsk, sshconfig.ControlMasterAutoAsk:
		ask := prompt.NewAsker(p.print)
		o.Confirm = func(ctx context.Context, question string) bool {
			yes, err := ask.Confirm(ctx, message.Printable(question))
			return yes && err == nil
		}
	}
	return o
}

// farewell is what passengers are told whose sessions a lost connection cut
// off: a master in the background has nobody else to tell it to.
func (p *program) farewell(err error) string {
	var output *session.OutputError
	var words strings.Builder
	said := message.Printer{Console: message.NewConsole(&words), Program: p.name, Config: p.cfg}
	said.SetLevel(p.print.Level())
	switch {
	case errors.As(err, &output):
		said.OutputLost(output)
	case isLost(err):
		said.Failure(err)
	}
	return words.String()
}

// passed opens what passengers pass.
type passed struct{}

func (passed) OpenInput(fd int) (mux.Input, error)   { return terminal.NewInput(fd) }
func (passed) OpenOutput(fd int) (mux.Output, error) { return terminal.NewOutput(fd) }
func (passed) Modes(fd int) []byte                   { return terminal.Modes(fd) }

func (passed) Size(fd int) (session.Size, bool) {
	size, err := terminal.GetSize(fd)
	return sessionSize(size), err == nil
}

// passengerEscapes puts the escapes between a passenger's keyboard and its
// session.
func (s *shared) passengerEscapes(session *mux.ServerSession, in mux.Input, char byte) mux.Input {
	return passengerInput{keyboard.NewEscapes(in, char, passenger{session, s.information}), in}
}

type passengerInput struct {
	*keyboard.Escapes
	in mux.Input
}

func (p passengerInput) Close() error { return p.in.Close() }

// passenger does what escapes ask for, as far as a master can do it for a
// terminal that is not its own.
type passenger struct {
	s    *mux.ServerSession
	info func() string // of the connection
}

func (a passenger) Say(text string)    { io.WriteString(a.s.Stderr(), text) }
func (a passenger) Terminate()         { a.s.Close() }
func (a passenger) SendBreak()         { a.s.Command().Break(breakLength) }
func (a passenger) Suspend()           {}
func (a passenger) CommandLine()       {}
func (passenger) HasCommandLine() bool { return false }

func (a passenger) Louder(int) sshconfig.LogLevel { return sshconfig.LogInfo }

// lacks names the escapes that are not for passengers.
func (passenger) Lacks(ch byte) bool {
	return ch == keyboard.CtrlZ || ch == '&' || ch == 'C' || ch == 'V' || ch == 'v'
}

func (a passenger) Information() string { return a.info() }

func (a passenger) Connections() string {
	return fmt.Sprintf("The following connections are open:\r\n  #%d client-session\r\n", a.s.ID())
}

// awaitPassengers lets those that are there finish, after our own session has:
// nobody new comes in.
func (s *shared) awaitPassengers(ctx context.Context) error {
	s.srv.Stop()
	select {
	case <-s.srv.Done():
		s.p.parting.lost(s.srv.Err())
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runMaster is the process of a master that persists: it has no session of its
// own, and lives until nobody needs it any more.
func (p *program) runMaster(ctx context.Context, s *shared, c *client.Client) (int, error) {
	if err := p.localCommand(ctx); err != nil {
		return 0, err
	}
	if err := p.ready.Announce(p.print, nil, p.master); err != nil {
		return 0, err
	}
	if s == nil {
		return 0, nil // another was quicker: our parent will find it
	}
	select {
	case <-s.srv.Done():
		return 0, nil
	case <-c.Done():
		return 0, c.Err()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// sessionOpened says what a client's session asks for over the master's
// connection, and later how it ended.
func (s *shared) sessionOpened(cmd *session.Cmd) (ended func(error)) {
	s.mu.Lock()
	forwards := s.conn.Forwards()
	s.mu.Unlock()
	number, free := forwards.Number()
	s.p.print.ChannelOpened(number, "session", message.SessionChannel)
	s.p.print.SessionRequests(number, cmd)
	return func(err error) { s.p.print.SessionEnded(number, message.ExitRequest(err), free()) }
}
