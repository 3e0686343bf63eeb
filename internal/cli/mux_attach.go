package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// sharing is what became of the control socket when this process looked.
type sharing int

const (
	sharingOff    sharing = iota // no ControlPath, or not for us: connect alone
	sharingVacant                // nobody is there: the place of a master is free
	sharingBusy                  // something is there, and of no use: connect alone
	sharingDone                  // the session ran over a master
)

// attach runs the session over the master that ControlPath names, if there is
// one that will have it.
func (p *program) attach(ctx context.Context) (int, sharing, error) {
	cfg := p.cfg
	if cfg.ControlPath == "" {
		return 0, sharingOff, nil
	}
	switch cfg.ControlMaster {
	case sshconfig.ControlMasterYes, sshconfig.ControlMasterAsk:
		return 0, p.occupied(ctx), nil
	}
	mc, found, err := p.connectMaster(ctx)
	if mc == nil {
		return 0, found, err
	}
	limited, cancel := p.patient(ctx)
	defer cancel()
	if err := p.muxForwards(limited, mc.OpenForward); err != nil {
		mc.Close()
		p.print.Errorf("muxclient: master forward request failed")
		return 0, sharingBusy, nil
	}
	return p.rideAlong(ctx, mc)
}

// rideAlong is ride for as long as no signal ends it. It takes mc over.
func (p *program) rideAlong(ctx context.Context, mc *mux.Client) (int, sharing, error) {
	defer mc.Close()
	ctx, quit := p.signals.Until(ctx)
	defer quit(nil)
	return p.ride(ctx, mc)
}

// occupied reports whether a master could listen at ControlPath: whatever is
// there already stays, except a socket of ours that nobody listens on.
func (p *program) occupied(ctx context.Context) sharing {
	path := p.cfg.ControlPath
	if _, err := os.Lstat(path); err == nil && !mux.IsStale(ctx, path) {
		return sharingBusy
	}
	return sharingVacant
}

// connectMaster connects to a master. Without one the client is nil, and found
// says what is there instead.
func (p *program) connectMaster(ctx context.Context) (mc *mux.Client, found sharing, err error) {
	path := p.cfg.ControlPath
	agent, err := p.agentForMaster()
	if err != nil {
		return nil, sharingOff, err
	}
	mc, err = mux.Connect(ctx, path, mux.ClientOptions{
		HelloTimeout: p.cfg.ConnectTimeout,
		AgentSocket:  agent,
		RemoveStale:  p.cfg.ControlMaster != sshconfig.ControlMasterNo,
		Logger:       p.print.Logger(),
	})
	var long *mux.PathError
	switch c := p.print; {
	case err == nil:
		return mc, sharingDone, nil
	case errors.As(err, &long):
		return nil, sharingOff, message.PathTooLong(long)
	case context.Cause(ctx) != nil:
		return nil, sharingOff, context.Cause(ctx)
	case errors.Is(err, mux.ErrNoMaster):
		c.Debugf("Control socket \"%s\" does not exist", path)
		return nil, sharingVacant, nil
	case errors.Is(err, mux.ErrStale) && p.cfg.ControlMaster != sshconfig.ControlMasterNo:
		c.Debugf("Stale control socket %s, unlinking", path)
		return nil, p.occupied(ctx), nil
	case errors.Is(err, mux.ErrMasterGone):
		// It was just leaving. A connection of one's own is as good.
		c.Debugf("Control socket %s: the master is leaving", path)
		return nil, p.occupied(ctx), nil
	}
	p.print.MasterUnusable(path, err)
	return nil, sharingBusy, nil
}

// masterPatience is how long a request to a master may take where no
// ConnectTimeout says so: a master whose server does not answer is there, but
// of no use.
const masterPatience = 30 * time.Second

// patient bounds a request to a master. Where a person may be asked first there
// is no limit.
func (p *program) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.cfg.ControlMaster == sshconfig.ControlMasterAutoAsk {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, cmp.Or(p.cfg.ConnectTimeout, masterPatience))
}

// ride is the session, over somebody else's connection.
func (p *program) ride(ctx context.Context, mc *mux.Client) (int, sharing, error) {
	var err error
	var status int
	switch {
	case !p.cfg.StdioForward.IsZero():
		status, err = p.rideStdio(ctx, mc)
	case p.cfg.SessionType == sshconfig.SessionNone:
		status, err = p.rideWithoutSession(ctx, mc)
	default:
		status, err = p.rideSession(ctx, mc)
	}
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		// Somebody wants this connection left alone, which does not speak
		// against one of our own.
		p.print.Errorf("Master refused session request: %s", refused.Reason)
		return 0, sharingBusy, nil
	case errors.As(err, &refused):
		p.print.Errorf("mux_client_request_session: session request failed: %s", refused.Reason)
		return 0, sharingBusy, nil
	case errors.Is(err, mux.ErrMasterGone), errors.Is(err, mux.ErrTimeout):
		if errors.Is(err, mux.ErrTimeout) {
			p.print.Errorf("Control socket %s: the master does not answer; connecting without it", p.cfg.ControlPath)
		}
		return 0, p.occupied(ctx), nil
	}
	return status, sharingDone, err
}

// rideStdio is -W over a master.
func (p *program) rideStdio(ctx context.Context, mc *mux.Client) (int, error) {
	fds := [2]int{int(p.std.Stdin.Fd()), int(p.std.Stdout.Fd())}
	limited, cancel := p.patient(ctx)
	s, err := mc.StdioForward(limited, p.cfg.StdioForward, fds)
	cancel()
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
	return p.awaitRide(ctx, s)
}

// rideWithoutSession is -N: the forwards are the master's now, and this
// process waits for the master's end.
func (p *program) rideWithoutSession(ctx context.Context, mc *mux.Client) (int, error) {
	if err := p.ready.Announce(p.print, nil, p.master); err != nil {
		return 0, err
	}
	err := mc.Stay(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return 0, cause
	}
	p.print.Debugf("%v", err)
	return exitFailure, nil
}

// rideSession passes our descriptors to the master, and waits.
func (p *program) rideSession(ctx context.Context, mc *mux.Client) (int, error) {
	req := mux.SessionRequest{
		TTY:       p.allocatesTTY(),
		X11:       p.cfg.ForwardX11,
		Agent:     p.wantsMasterAgent(mc),
		Subsystem: p.cfg.SessionType == sshconfig.SessionSubsystem,
		Term:      p.userTerm(os.Getenv),
		Command:   p.remoteCommand(),
		Env:       p.sentEnvironment(os.Environ()),
	}
	if req.TTY && p.cfg.EscapeChar >= 0 {
		req.EscapeChar = int(p.cfg.EscapeChar)
	}
	fds, done, err := p.passedDescriptors()
	if err != nil {
		return 0, err
	}
	defer done()
	size, _ := terminal.GetSize(fds[0])
	limited, cancel := p.patient(ctx)
	s, err := mc.NewSession(limited, req, fds)
	cancel()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := p.ready.Announce(p.print, nil, p.master); err != nil {
		return 0, err
	}
	leave := func() {}
	if req.TTY {
		leave = p.rideRaw(ctx, s, size)
	}
	var status int
	p.guard.Run(func() { status, err = p.awaitRide(ctx, s) })
	leave()
	if req.TTY {
		p.print.Infof("Shared connection to %s closed.", p.cfg.HostName)
	}
	return status, err
}

// passedDescriptors are 0, 1 and 2, or /dev/null for the first.
func (p *program) passedDescriptors() (fds [3]int, done func(), err error) {
	done = func() {}
	fds = [3]int{int(p.std.Stdin.Fd()), int(p.std.Stdout.Fd()), int(p.std.Stderr.Fd())}
	if p.cfg.StdinNull {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return fds, done, err
		}
		fds[0] = int(null.Fd())
		done = func() { null.Close() }
	}
	return fds, done, nil
}

// rideRaw makes the terminal raw for the time of the session: the master does
// not touch its modes. The size is the master's to ask, when we tell it to;
// size is what it was before the master asked for the first time.
func (p *program) rideRaw(ctx context.Context, s *mux.ClientSession, size terminal.Size) (leave func()) {
	fd := int(p.std.Stdin.Fd())
	if !terminal.IsTerminal(fd) {
		return func() {}
	}
	state, err := terminal.MakeRaw(fd)
	if err != nil {
		p.print.Errorf("tcsetattr: %s", message.Errno(err))
		return func() {}
	}
	p.guard.Hold(state)
	ctx, cancel := context.WithCancel(ctx)
	followed := make(chan struct{})
	sizes := terminal.Resizes(ctx, fd)
	if now, err := terminal.GetSize(fd); err == nil && now != size {
		relayResize(s.MasterPID()) // nobody was told of that change
	}
	go p.guard.Run(func() { // ends with ctx
		defer close(followed)
		for range sizes {
			relayResize(s.MasterPID())
		}
	})
	go p.guard.Run(func() { state.FollowContinue(ctx) })
	go p.guard.Run(func() { // ends with the session
		select {
		case <-s.TTYFailed():
			state.Restore() // the master says why
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		state.Restore()
		<-followed
	}
}

// awaitRide waits for the session's end, or for ours.
func (p *program) awaitRide(ctx context.Context, s *mux.ClientSession) (int, error) {
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

// muxForwards asks a master to do something about each forwarding of the
// command line and the configuration.
func (p *program) muxForwards(ctx context.Context, do func(context.Context, forward.Spec) (int, error)) error {
	cfg := p.cfg
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
				p.print.Errorf("Master refused forwarding request: %s", refused.Reason)
				failed = err
			case errors.As(err, &refused):
				p.print.Errorf("mux_client_forward: forwarding request failed: %s", refused.Reason)
				failed = err
			case err != nil:
				return err
			case port != 0:
				p.muxPort(port, spec)
			}
		}
	}
	return failed
}

// proxied is the session over a master in proxy mode (-O proxy): this process
// runs it as over a connection of its own.
func (p *program) proxied(ctx context.Context, mc *mux.Client) (int, error) {
	conn, chans, reqs, err := mc.Proxy(ctx)
	var refused *mux.RefusedError
	switch {
	case errors.As(err, &refused):
		return 0, message.Errorf("mux_client_proxy: master returned error: %s", refused.Reason)
	case err != nil:
		return 0, message.ControlError(p.cfg.ControlPath, err)
	}
	c, err := client.Attach(conn, chans, reqs, p.clientOptions())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ctx, quit := p.signals.Until(ctx)
	defer quit(nil)
	return p.serve(ctx, c)
}
