package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/internal/cli/keyboard"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/share"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/keepalive"
	"github.com/gossh-project/gossh/session"
)

// runSession runs the remote program and returns how it ended.
func (f *foreground) runSession(ctx context.Context, c connection, shared bool) (ending, error) {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	env := f.environment
	env.std = c.std
	s := &remoteSession{
		environment: env,
		task:        f.task,
		ready:       f.ready,
		forwards:    f.forwards,
		connection:  c,
		client:      c.client,
		ctx:         ctx,
		quit:        quit,
		started:     time.Now(),
	}
	var back share.Backchannels = f.back.NewSession(c.client)
	if shared { // clients use the agent and the display as well
		back = f.master.Backchannels()
	}
	defer s.close()
	if err := s.prepare(back); err != nil {
		return ending{}, err
	}
	return s.run()
}

// remoteSession is a remote program with the local descriptors at its ends.
type remoteSession struct {
	environment
	task       task.Task
	ready      *process.Readiness
	forwards   *forwards // for the escape ~C
	connection connection
	client     *client.Client
	ctx        context.Context
	quit       context.CancelCauseFunc // ends the session
	cmd        *session.Cmd
	number     int // of the channel, for messages
	started    time.Time

	in       *keyboard.Input // nil without standard input
	out, err *terminal.Output
	tty      *ttySession  // nil without a terminal
	hold     sync.RWMutex // held while a question is open, so that nothing is written
	back     share.Backchannels
}

// prepare sets the remote program up. Nothing is sent yet.
func (r *remoteSession) prepare(back share.Backchannels) error {
	r.cmd = r.client.Command(r.ctx, r.task.Command)
	r.cmd.Subsystem = r.task.Subsystem
	r.cmd.Env = task.Environment(r.cfg, os.Environ())
	if err := r.forwardBack(back); err != nil {
		return err
	}
	var err error
	if r.out, err = terminal.NewOutput(int(r.std.Stdout.Fd())); err != nil {
		return err
	}
	if r.err, err = terminal.NewOutput(int(r.std.Stderr.Fd())); err != nil {
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = heldOutput{r.out, &r.hold}, heldOutput{r.err, &r.hold}
	r.cmd.OnOpened = r.opened
	r.cmd.OnStarted = r.takeTerminal
	setQoS(r.print, r.cfg, r.client, r.task.TTY || r.cmd.X11 != nil)
	if err := r.ready.Announce(r.print, r.keepDescriptors, false); err != nil {
		return err
	}
	if !r.task.StdinNull {
		if r.in, err = keyboard.New(int(r.std.Stdin.Fd())); err != nil {
			return err
		}
		r.cmd.Stdin = r.in
	}
	// In the background standard input is the null device by now.
	if r.task.TTY && (r.task.ForceTTY || r.ready == nil) {
		r.attachTTY()
	}
	return nil
}

// forwardBack sets up the channels that the server may open for the session. It
// comes before the session requests them.
func (r *remoteSession) forwardBack(back share.Backchannels) (err error) {
	r.back = back
	if r.cmd.X11, err = back.ForwardX11(r.ctx, func() int { return r.number }); err != nil {
		return err
	}
	if r.cmd.ForwardAgent, err = back.ForwardAgent(r.ctx); err != nil {
		return err
	}
	back.RefuseUnrequested(r.client)
	return nil
}

// run runs the remote program. The terminal, if there is one, is raw meanwhile.
func (r *remoteSession) run() (ending, error) {
	stop := context.AfterFunc(r.ctx, func() { // a reader or a writer may be blocked
		r.out.Cancel()
		r.err.Cancel()
	})
	defer stop()
	r.guard.Cover(r.cmd)
	number, free := r.client.Forwards().Number()
	r.number = number
	r.print.ChannelOpened(number, "session", message.SessionChannel)
	err := r.cmd.Start()
	if err == nil {
		err = r.cmd.Wait()
	}
	r.leaveTerminal()
	r.print.SessionEnded(number, message.ExitRequest(err), free())
	return r.end(err)
}

// opened is called when the server has opened the channel, before anything is
// requested on it.
func (r *remoteSession) opened() {
	if r.tty == nil { // otherwise the server may have to be asked for another terminal
		denyMoreSessions(r.print, r.cfg, r.client)
	}
	r.print.SessionBegins()
	r.print.SessionRequests(r.number, r.cmd)
}

// end turns the result of the session into an ending. ssh's last messages come
// later, when nothing else uses the connection either; see sayGoodbye.
func (r *remoteSession) end(err error) (ending, error) {
	if r.connection.kept != nil && share.IsLost(err) {
		return ending{}, err // the session starts again
	}
	end := ending{
		session: r,
		quit:    errors.Is(err, message.ErrQuit),
		silent:  endsAtOnce(err),
		unknown: message.ExitRequest(err) != "exit-status",
		printed: share.IsLost(err),
	}
	var exit *session.ExitError
	var output *session.OutputError
	var request *session.RequestError
	switch {
	case errors.As(err, &output) && r.print.OutputLost(output):
		end.status = exitFailure
	case err == nil, output != nil:
	case errors.As(err, &exit):
		end.status = fail(r.print, exit)
	case errors.Is(err, message.ErrNoTTY):
		return ending{}, r.onChannel(err)
	case end.quit:
		end.status = exitFailure
	case errors.As(err, &request):
		return ending{}, r.onChannel(err)
	default:
		end.status = fail(r.print, r.onChannel(err))
	}
	return end, nil
}

// onChannel adds the number of the session's channel to an error.
func (r *remoteSession) onChannel(err error) error {
	return &message.ChannelError{Channel: r.number, Err: err}
}

// endsAtOnce reports whether ssh would die of err without further words: of a
// signal, or of a connection that ends other than by being closed.
func endsAtOnce(err error) bool {
	var broken *client.ConnError
	var killed *message.SignalError
	return errors.As(err, &killed) || errors.Is(err, keepalive.ErrPeerLost) || errors.Is(err, syscall.ECONNRESET) ||
		errors.As(err, &broken) && !message.IsRefusal(broken) && !message.IsEOF(broken.Err)
}

// close restores the terminal and closes what prepare has opened.
func (r *remoteSession) close() {
	r.leaveTerminal()
	if r.back != nil {
		r.back.Close()
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

// forwardStdio forwards standard input and output (-W).
func (f *foreground) forwardStdio(ctx context.Context, conn connection) error {
	c, to := conn.client, f.task.Target
	f.print.StdioRequested(to)
	number, free := c.Forwards().Number()
	f.print.ChannelOpened(number, "stdio-forward", "stdio-forward")
	denyMoreSessions(f.print, f.cfg, c)
	f.print.SessionBegins()
	forwarded, err := c.Forwards().OpenStdio(ctx, to)
	if err != nil {
		return &message.ChannelError{Channel: number, Err: err}
	}
	defer forwarded.Close()
	if err := f.ready.Announce(f.print, nil, false); err != nil {
		return err
	}
	in, err := terminal.NewInput(int(conn.std.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := terminal.NewOutput(int(conn.std.Stdout.Fd()))
	if err != nil {
		return err
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { forwarded.Close(); in.Cancel(); out.Cancel() })
	defer stop()
	ended := make(chan struct{})
	go func() { // ends with the connection or with this function
		select {
		case <-c.Done():
			in.Cancel()
		case <-ended:
		}
	}()
	err = forwarded.Run(in, stdoutCloser{out, conn.std.Stdout})
	close(ended)
	switch {
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case c.Err() != nil:
		err = c.Err()
	case errors.Is(err, terminal.ErrCanceled), errors.Is(err, io.EOF):
		err = nil
	}
	f.print.StdioEnded(number, to, free, err)
	if err == nil {
		return nil
	}
	return &message.ChannelError{Channel: number, Err: err}
}

// stdoutCloser closes standard output when the target ends its output.
type stdoutCloser struct {
	io.Writer
	stdout *os.File
}

func (s stdoutCloser) Close() error { return s.stdout.Close() }
