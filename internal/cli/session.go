package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
	"github.com/gossh-project/gossh/sshconfig"
)

// wantsTTY says whether a terminal is asked for, if there is one here.
func (p *program) wantsTTY() bool {
	if !p.cfg.StdioForward.IsZero() || p.cfg.SessionType == sshconfig.SessionNone {
		return false
	}
	switch p.cfg.RequestTTY {
	case sshconfig.RequestTTYNo:
		return false
	case sshconfig.RequestTTYYes, sshconfig.RequestTTYForce:
		return true
	}
	return p.remoteCommand() == ""
}

func (p *program) ttyForced() bool { return p.cfg.RequestTTY == sshconfig.RequestTTYForce }

// allocatesTTY says whether a terminal is asked for in the end.
func (p *program) allocatesTTY() bool {
	if !p.wantsTTY() {
		return false
	}
	return p.ttyForced() || (!p.cfg.StdinNull && terminal.IsTerminal(int(p.std.Stdin.Fd())))
}

// runSession runs the remote program and returns its exit status.
func (p *program) runSession(ctx context.Context, c *client.Client) (int, error) {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	run := &sessionRun{p: p, c: c, ctx: ctx, quit: quit, started: time.Now()}
	if err := run.prepare(); err != nil {
		return 0, err
	}
	defer run.close()
	return run.run()
}

// sessionRun is one remote program with the local descriptors at its ends.
type sessionRun struct {
	p    *program
	c    *client.Client
	ctx  context.Context
	quit context.CancelCauseFunc // the escape ~. and signals
	cmd  *session.Cmd

	started time.Time

	in       *keyboard.Input // nil without standard input
	out, err *terminal.Output
	tty      *ttySession  // nil without a terminal
	hold     sync.RWMutex // held while a question is open: nothing is written

	closeX11   func() error // nil without forwarded X11
	closeAgent func() error // nil without a forwarded agent
}

// prepare sets the remote program up; nothing is sent yet.
func (r *sessionRun) prepare() error {
	p := r.p
	r.cmd = r.c.Command(r.ctx, p.remoteCommand())
	r.cmd.Subsystem = p.cfg.SessionType == sshconfig.SessionSubsystem
	r.cmd.Env = p.sentEnvironment(os.Environ())
	if err := r.forwardBack(); err != nil {
		return err
	}
	var err error
	if r.out, err = terminal.NewOutput(int(p.std.Stdout.Fd())); err != nil {
		return err
	}
	if r.err, err = terminal.NewOutput(int(p.std.Stderr.Fd())); err != nil {
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = held{r.out, &r.hold}, held{r.err, &r.hold}
	r.cmd.OnOpened = r.opened
	r.cmd.OnStarted = r.takeTerminal
	p.setQoS(r.c, p.allocatesTTY() || r.cmd.X11 != nil)
	if err := p.ready.Announce(p.print, r.keepDescriptors, p.master); err != nil {
		return err
	}
	if !p.cfg.StdinNull {
		if r.in, err = keyboard.New(int(p.std.Stdin.Fd())); err != nil {
			return err
		}
		r.cmd.Stdin = r.in
	}
	if p.allocatesTTY() {
		r.attachTTY()
	}
	return nil
}

// run runs it, with the terminal raw meanwhile if there is one.
func (r *sessionRun) run() (int, error) {
	p := r.p
	stop := context.AfterFunc(r.ctx, func() { // a reader or writer may be stuck
		r.out.Cancel()
		r.err.Cancel()
	})
	defer stop()
	p.guard.Cover(r.cmd)
	var free func() int
	p.channel, free = r.c.Forwards().Number()
	p.print.ChannelOpened(p.channel, "session", message.SessionChannel)
	err := r.cmd.Start()
	if err == nil {
		err = r.cmd.Wait()
	}
	r.leaveTerminal()
	p.print.SessionEnded(p.channel, message.ExitRequest(err), free())
	return r.end(err)
}

// opened is called when the server has opened the channel, before anything is
// asked for on it.
func (r *sessionRun) opened() {
	if r.tty == nil { // otherwise there may be a question about the terminal
		r.p.denyMoreSessions(r.c)
	}
	r.p.print.SessionBegins()
	r.p.print.SessionRequests(r.p.channel, r.cmd)
}

// end turns how the session ended into a status. ssh's last words come when
// nothing else runs over the connection either, see part.
func (r *sessionRun) end(err error) (int, error) {
	p := r.p
	if p.kept != nil && isLost(err) {
		return 0, err // not the end
	}
	var exit *session.ExitError
	var output *session.OutputError
	status := 0
	switch {
	case errors.As(err, &output) && p.print.OutputLost(output):
		status = exitFailure
	case err == nil, output != nil:
	case errors.As(err, &exit):
		p.print.Failure(exit)
		status = exitStatus(exit)
	case errors.Is(err, message.ErrNoTTY):
		return 0, p.onChannel(err)
	case errors.Is(err, message.ErrQuit):
		status = exitFailure
	default:
		var request *session.RequestError
		if errors.As(err, &request) {
			return 0, p.onChannel(err)
		}
		status = p.fail(p.onChannel(err))
	}
	p.parting = parting{run: r, quit: errors.Is(err, message.ErrQuit), silent: endsAtOnce(err), told: isLost(err),
		unknown: message.ExitRequest(err) != "exit-status"}
	return status, nil
}

// parting is what is left to say of a session that has ended.
type parting struct {
	run     *sessionRun // nil without a session
	quit    bool        // the user ended the connection: nobody else is waited for
	silent  bool        // ssh dies without these words
	unknown bool        // the program's status, which is -1 for ssh
	told    bool        // of the loss of the connection, which ended the session
	loss    error       // of the connection, while others still used it
}

// lost notes how the connection ended, if it was lost.
func (t *parting) lost(err error) {
	if isLost(err) && !t.told && t.loss == nil {
		t.loss = err
	}
}

// part says it, as ssh does when it leaves. The status stays the session's, but
// of some losses ssh dies.
func (p *program) part(status int) int {
	r := p.parting.run
	if r == nil {
		return status
	}
	if loss := p.parting.loss; loss != nil && p.kept == nil {
		if failed := p.fail(loss); endsAtOnce(loss) {
			p.parting.silent, status = true, failed
		}
	}
	if p.parting.silent {
		return status
	}
	if r.tty != nil && p.print.Level() >= sshconfig.LogInfo {
		p.print.Last("Connection to %s closed.", p.cfg.HostName)
	}
	p.print.Transferred(r.c, r.started)
	exit := status
	if p.parting.unknown {
		exit = -1
	}
	p.print.Debugf("Exit status %d", exit)
	return status
}

// endsAtOnce says whether ssh dies of it on the spot, without a word more: of a
// signal, or of a connection that ends otherwise than by being closed.
func endsAtOnce(err error) bool {
	var broken *client.ConnError
	var killed *message.SignalError
	return errors.As(err, &killed) || errors.Is(err, keepalive.ErrPeerLost) || errors.Is(err, syscall.ECONNRESET) ||
		errors.As(err, &broken) && !message.IsRefusal(broken) && !message.IsEOF(broken.Err)
}

// close gives the descriptors back as they were.
func (r *sessionRun) close() {
	r.leaveTerminal()
	if r.closeX11 != nil {
		r.closeX11()
	}
	if r.closeAgent != nil {
		r.closeAgent()
	}
	if r.in != nil {
		r.in.Close()
	}
	if r.out != nil {
		r.out.Close()
	}
	if r.err != nil {
		r.err.Close()
	}
}

// sentEnvironment is SendEnv's choice of the local environment, and SetEnv.
func (p *program) sentEnvironment(environ []string) []session.EnvVar {
	var out []session.EnvVar
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if ok && matchesAny(p.cfg.SendEnv, name) {
			out = append(out, session.EnvVar{Name: name, Value: value})
		}
	}
	return append(out, p.setEnvironment()...)
}

// setEnvironment is SetEnv.
func (p *program) setEnvironment() (out []session.EnvVar) {
	for _, v := range p.cfg.SetEnv {
		out = append(out, session.EnvVar{Name: v.Name, Value: v.Value})
	}
	return out
}

// matchesAny compares with patterns of * and ?.
func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if matchesPattern(pattern, name) {
			return true
		}
	}
	return false
}

// onChannel adds the number of the session's channel to an error.
func (p *program) onChannel(err error) error {
	if err == nil {
		return nil
	}
	return &message.ChannelError{Channel: p.channel, Err: err}
}
