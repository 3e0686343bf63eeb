// Package share shares connections between processes through a control socket:
// [Client] runs an invocation over the connection of a master, [Control] sends the
// commands of -O, and [Master] serves clients.
package share

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/backchannel"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/cli/task"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// Client runs an invocation over the connection of a master.
type Client struct {
	Print   *message.Printer
	Config  *sshconfig.Config
	Std     process.Std
	Guard   *process.Guard
	Signals *process.Signals
	Ready   *process.Readiness
	Back    *backchannel.Forwarding
	Task    task.Task
}

// Attach opens the forwardings of the configuration and runs the task over the
// master that listens at ControlPath. done is false if there is no master, or one
// that is of no use; then the caller has to connect on its own.
func (a *Client) Attach(ctx context.Context) (status int, done bool, err error) {
	mc, err := a.connect(ctx)
	if mc == nil {
		return 0, false, err
	}
	limited, cancel := a.limit(ctx)
	defer cancel()
	if err := a.openForwards(limited, requesting(a.Print, mc)); err != nil {
		mc.Close()
		a.Print.Errorf("muxclient: master forward request failed")
		return 0, false, nil
	}
	return a.run(ctx, mc)
}

// AttachStarted runs the task over a master that this invocation has started,
// which opens the forwardings itself.
func (a *Client) AttachStarted(ctx context.Context) (status int, done bool, err error) {
	mc, err := a.connect(ctx)
	if mc == nil {
		return 0, false, err
	}
	return a.run(ctx, mc)
}

// Vacant reports whether a master could listen at ControlPath: nothing is there,
// or a socket of ours that has no listener.
func (a *Client) Vacant(ctx context.Context) bool {
	path := a.Config.ControlPath
	_, err := os.Lstat(path)
	return err != nil || mux.IsStale(ctx, path)
}

// connect connects to a master. Without a usable one the client is nil.
func (a *Client) connect(ctx context.Context) (*mux.Client, error) {
	path := a.Config.ControlPath
	agent, err := agentSocket(a.Back)
	if err != nil {
		return nil, err
	}
	mc, err := mux.Connect(ctx, path, mux.ClientOptions{
		HelloTimeout: a.Config.ConnectTimeout,
		AgentSocket:  agent,
		RemoveStale:  a.Config.ControlMaster != sshconfig.ControlMasterNo,
		Logger:       a.Print.Logger(),
	})
	var long *mux.PathError
	switch {
	case err == nil:
		return mc, nil
	case errors.As(err, &long):
		return nil, message.PathTooLong(long)
	case context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, mux.ErrNoMaster):
		a.Print.Debugf("Control socket \"%s\" does not exist", path)
	case errors.Is(err, mux.ErrStale) && a.Config.ControlMaster != sshconfig.ControlMasterNo:
		a.Print.Debugf("Stale control socket %s, unlinking", path)
	case errors.Is(err, mux.ErrMasterGone):
		// It was about to exit. A connection of our own is as good.
		a.Print.Debugf("Control socket %s: the master is leaving", path)
	default:
		a.Print.MasterUnusable(path, err)
	}
	return nil, nil
}

// masterPatience is how long a request to a master may take without
// ConnectTimeout. A master whose server does not answer is of no use.
const masterPatience = 30 * time.Second

// limit bounds a request to a master. There is no limit if the master may ask its
// user first.
func (a *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.Config.ControlMaster == sshconfig.ControlMasterAutoAsk {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, cmp.Or(a.Config.ConnectTimeout, masterPatience))
}

// run runs the task until it ends or a signal ends it. It closes mc.
func (a *Client) run(ctx context.Context, mc *mux.Client) (status int, done bool, err error) {
	defer mc.Close()
	ctx, quit := a.Signals.Until(ctx)
	defer quit(nil)
	switch a.Task.Kind {
	case task.Stdio:
		status, err = a.runStdio(ctx, mc)
	case task.None:
		status, err = a.runWithoutSession(ctx, mc)
	default:
		status, err = a.runSession(ctx, mc)
	}
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		// The user of the master wants to keep this connection. That does not
		// speak against a connection of our own.
		a.Print.Errorf("Master refused session request: %s", refused.Reason)
		return 0, false, nil
	case errors.As(err, &refused):
		a.Print.Errorf("mux_client_request_session: session request failed: %s", refused.Reason)
		return 0, false, nil
	case errors.Is(err, mux.ErrTimeout):
		a.Print.Errorf("Control socket %s: the master does not answer; connecting without it", a.Config.ControlPath)
		return 0, false, nil
	case errors.Is(err, mux.ErrMasterGone):
		return 0, false, nil
	}
	return status, true, err
}

// runStdio runs -W over a master.
func (a *Client) runStdio(ctx context.Context, mc *mux.Client) (int, error) {
	fds := [2]int{int(a.Std.Stdin.Fd()), int(a.Std.Stdout.Fd())}
	limited, cancel := a.limit(ctx)
	s, err := mc.StdioForward(limited, a.Task.Target, fds)
	cancel()
	if err == nil {
		a.Print.Debugf("mux_client_request_stdio_fwd: master session id: %d", s.ID())
	}
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		return 0, message.Errorf("Master refused stdio forwarding request: %s", refused.Reason)
	case errors.As(err, &refused):
		return 0, message.Errorf("Stdio forwarding request failed: %s", refused.Reason)
	case err != nil:
		return 0, err
	}
	defer s.Close()
	return a.await(ctx, s)
}

// runWithoutSession runs -N: the master holds the forwardings, and this process
// waits until the master exits.
func (a *Client) runWithoutSession(ctx context.Context, mc *mux.Client) (int, error) {
	if err := a.Ready.Announce(a.Print, nil, false); err != nil {
		return 0, err
	}
	err := mc.Stay(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return 0, cause
	}
	a.Print.Debugf("%v", err)
	return 0, message.ErrMasterExited
}

// runSession passes the descriptors to the master and waits for the session.
func (a *Client) runSession(ctx context.Context, mc *mux.Client) (int, error) {
	req := mux.SessionRequest{
		TTY:       a.Task.TTY,
		X11:       a.Config.ForwardX11,
		Agent:     a.wantsAgent(mc),
		Subsystem: a.Task.Subsystem,
		Term:      task.Term(a.Config, os.Getenv),
		Command:   a.Task.Command,
		Env:       task.Environment(a.Config, os.Environ()),
	}
	if req.TTY && a.Config.EscapeChar >= 0 {
		req.EscapeChar = int(a.Config.EscapeChar)
	}
	fds, done, err := a.passedDescriptors()
	if err != nil {
		return 0, err
	}
	defer done()
	size, _ := terminal.GetSize(fds[0])
	limited, cancel := a.limit(ctx)
	s, err := mc.NewSession(limited, req, fds)
	cancel()
	if err != nil {
		return 0, err
	}
	a.Print.Debugf("mux_client_request_session: master session id: %d", s.ID())
	defer s.Close()
	if err := a.Ready.Announce(a.Print, nil, false); err != nil {
		return 0, err
	}
	leave := func() {}
	if req.TTY {
		leave = a.makeRaw(ctx, s, size)
	}
	var status int
	a.Guard.Run(func() { status, err = a.await(ctx, s) })
	leave()
	if req.TTY {
		a.Print.Infof("Shared connection to %s closed.", a.Config.HostName)
	}
	return status, err
}

// passedDescriptors returns the descriptors 0, 1 and 2, the first replaced by
// /dev/null with -n.
func (a *Client) passedDescriptors() (fds [3]int, done func(), err error) {
	done = func() {}
	fds = [3]int{int(a.Std.Stdin.Fd()), int(a.Std.Stdout.Fd()), int(a.Std.Stderr.Fd())}
	if a.Task.StdinNull {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return fds, done, err
		}
		fds[0] = int(null.Fd())
		done = func() { null.Close() }
	}
	return fds, done, nil
}

// makeRaw makes the terminal raw until leave is called: the master does not change
// its modes. The master asks for the size when it gets SIGWINCH. size is the size
// before the master asked for the first time.
func (a *Client) makeRaw(ctx context.Context, s *mux.ClientSession, size terminal.Size) (leave func()) {
	fd := int(a.Std.Stdin.Fd())
	if !terminal.IsTerminal(fd) {
		return func() {}
	}
	state, err := terminal.MakeRaw(fd)
	if err != nil {
		a.Print.Errorf("tcsetattr: %s", message.Errno(err))
		return func() {}
	}
	a.Guard.Hold(state)
	ctx, cancel := context.WithCancel(ctx)
	followed := make(chan struct{})
	sizes := terminal.Resizes(ctx, fd)
	if now, err := terminal.GetSize(fd); err == nil && now != size {
		relayResize(s.MasterPID()) // this change caused no signal
	}
	go a.Guard.Run(func() { // ends with ctx
		defer close(followed)
		for range sizes {
			relayResize(s.MasterPID())
		}
	})
	go a.Guard.Run(func() { state.FollowContinue(ctx) })
	go a.Guard.Run(func() { // ends with the session
		select {
		case <-s.TTYFailed():
			state.Restore() // the master prints why
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		state.Restore()
		<-followed
	}
}

// await waits until the session or ctx ends.
func (a *Client) await(ctx context.Context, s *mux.ClientSession) (int, error) {
	select {
	case <-s.Done():
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	status, err := s.Wait()
	if errors.Is(err, mux.ErrNoExitStatus) {
		err = nil
	}
	return status, err
}

// openForwards asks a master to open each forwarding of the configuration.
func (a *Client) openForwards(ctx context.Context, open func(context.Context, forward.Spec) (int, error)) error {
	return forEachForward(ctx, a.Print, a.Config, open, func(port int, spec forward.Spec) {
		a.Print.Printf(sshconfig.LogVerbose, "Allocated port %d for remote forward to %s", port, spec.Connect)
	})
}

// forEachForward calls do, a request to a master, for each forwarding of the
// configuration, and allocated for each port that the server chose. It goes on
// after a refusal, which it prints and returns.
func forEachForward(ctx context.Context, print *message.Printer, cfg *sshconfig.Config,
	do func(context.Context, forward.Spec) (int, error), allocated func(port int, spec forward.Spec)) error {
	if cfg.ClearAllForwardings {
		return nil
	}
	var failed error
	for _, specs := range [][]forward.Spec{cfg.LocalListeners(), cfg.RemoteForward} {
		for _, spec := range specs {
			port, err := do(ctx, spec)
			var refused *mux.RefusedError
			switch {
			case errors.As(err, &refused) && refused.Denied:
				print.Errorf("Master refused forwarding request: %s", refused.Reason)
				failed = err
			case errors.As(err, &refused):
				print.Errorf("mux_client_forward: forwarding request failed: %s", refused.Reason)
				failed = err
			case err != nil:
				return err
			case port != 0:
				allocated(port, spec)
			}
		}
	}
	return failed
}
