package cli

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// repeats says whether what the connection is for is to be begun again, should
// it be lost: that is Reconnect, within what can be repeated at all.
func (p *program) repeats() bool {
	cfg := p.cfg
	switch reconnect := cfg.Own.Reconnect; {
	case reconnect != sshconfig.ReconnectYes && reconnect != sshconfig.ReconnectAlways:
		return false
	case cfg.ProxyCommand == "-":
		return false // there is one such stream
	case p.master:
		return true // for clients to come: what the first one runs is not the master's
	case !cfg.StdioForward.IsZero(), cfg.SessionType == sshconfig.SessionSubsystem:
		return false // whoever is at the other end of the stream has lost his place in it
	case cfg.SessionType == sshconfig.SessionNone:
		return true
	case cfg.ForkAfterAuthentication:
		return false // what the command wrote to is given up once it has begun
	case reconnect == sshconfig.ReconnectAlways:
		return true
	case p.flags.command != "":
		return false // it may have run already, and not be meant to run twice
	}
	// A shell that reads its commands from a file is no different.
	return cfg.RemoteCommand != "" || p.allocatesTTY()
}

// stay is an invocation with Reconnect: one connection after another.
type stay struct {
	p    *program
	kept *client.Kept
	view atomic.Pointer[countdown] // while a person is told

	mu      sync.Mutex
	news    []news        // not looked at yet
	telling bool          // somebody goes through them
	more    chan struct{} // holds one: there are news
}

// news is a new state, or what came of a forwarding on a new connection.
type news struct {
	state   client.KeepState
	forward *client.ForwardState
}

// stayConnected is connect with Reconnect. The first connection is made, and
// fails, as any other.
func (p *program) stayConnected(ctx context.Context) (int, error) {
	s := newStay(p)
	s.kept = client.Keep(ctx, p.flags.host, s.options())
	p.kept = s.kept
	defer s.kept.Close()
	c, err := s.first()
	if err != nil {
		return 0, err
	}
	defer p.watchNetwork(ctx, s.kept.Hint)()
	ctx, quit := p.signals.Until(ctx)
	defer quit(nil)
	p.quit = quit
	defer func() {
		if p.shared != nil {
			p.shared.close()
		}
	}()
	status, err := p.serve(ctx, c)
	for isLost(err) && ctx.Err() == nil {
		if c, err = s.again(ctx); err != nil {
			return 0, err
		}
		status, err = p.serveOver(ctx, c)
	}
	p.turns.Await(ctx, c.Done())
	return status, err
}

func newStay(p *program) *stay { return &stay{p: p, more: make(chan struct{}, 1)} }

// isLost says that a connection that was up has ended.
func isLost(err error) bool {
	var conn *client.ConnError
	return errors.As(err, &conn) && conn.Phase == client.PhaseConnected
}

func (s *stay) options() *client.KeepOptions {
	own := s.p.cfg.Own
	o := client.KeepOptions{
		Options:      *s.p.clientOptions(),
		MinDelay:     own.ReconnectMinDelay,
		MaxDelay:     own.ReconnectMaxDelay,
		Attempts:     own.ReconnectAttempts,
		RequireFirst: true,
		OnState:      s.tell,
		OnForward:    func(st client.ForwardState) { s.p.guard.Run(func() { s.tellForward(st) }) },
	}
	o.Prompter = aside{o.Prompter.(client.KeyPrompter), s}
	notify := o.Notify
	o.Notify = func(e client.Event) {
		if _, ok := e.(client.Banner); ok {
			s.view.Load().breakLine()
		}
		notify(e)
	}
	return &o
}

// tell notes a state; again shows it.
func (s *stay) tell(st client.KeepState) {
	if st.Phase == client.KeepConnecting {
		s.p.secrets.Protect()
	} else {
		s.p.secrets.Forget()
	}
	s.mu.Lock()
	s.news = append(s.news, news{state: st})
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// tellForward says what came of a forwarding: at once, unless the connection
// that it came of has not been told of yet. Then that goes first.
func (s *stay) tellForward(st client.ForwardState) {
	s.mu.Lock()
	wait := s.telling || len(s.news) > 0
	if wait {
		s.news = append(s.news, news{forward: &st})
	}
	s.mu.Unlock()
	if !wait {
		s.p.print.ForwardReopened(st) // Kept tells of one thing at a time
	}
}

// next takes the next state, if there is one.
func (s *stay) next() (st client.KeepState, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.telling = true
	s.tellForwards()
	if len(s.news) == 0 {
		return st, false
	}
	st, s.news = s.news[0].state, s.news[1:]
	return st, true
}

// told ends the telling with what has come meanwhile of the forwardings of the
// connection that was told of.
func (s *stay) told() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellForwards()
	s.telling = false
}

// tellForwards says what comes before the next state. It is called with mu
// held, which it gives up to write.
func (s *stay) tellForwards() {
	for len(s.news) > 0 && s.news[0].forward != nil {
		st := *s.news[0].forward
		s.news = s.news[1:]
		s.mu.Unlock()
		s.p.print.ForwardReopened(st)
		s.mu.Lock()
	}
}

// first waits for the first connection, of which nothing is said. It ends with
// that: a signal has its usual effect meanwhile.
func (s *stay) first() (*client.Client, error) {
	defer s.told()
	for {
		st, ok := s.next()
		switch {
		case !ok:
			<-s.more
		case st.Phase == client.KeepConnected:
			return st.Client, nil
		case st.Phase == client.KeepEnded:
			return nil, st.Cause
		}
	}
}

// again waits for the next connection, while whoever is there is told.
func (s *stay) again(ctx context.Context) (*client.Client, error) {
	defer s.told() // when the view is closed
	var view waitView = &waitLog{p: s.p}
	if s.p.personWaits() {
		d := newCountdown(s.p)
		s.view.Store(d)
		defer s.view.Store(nil)
		view = d
	}
	defer view.close()
	for {
		for st, ok := s.next(); ok; st, ok = s.next() {
			view.show(st)
			switch st.Phase {
			case client.KeepConnected:
				return st.Client, nil
			case client.KeepEnded:
				return nil, st.Cause
			}
		}
		select {
		case <-s.more:
		case <-view.ticks():
			view.tick()
		case key := <-view.keys():
			if key == keyQuit {
				return nil, message.ErrQuit
			}
			s.kept.Retry()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// personWaits says that there is a session which a person is at, who can be
// shown a countdown.
func (p *program) personWaits() bool {
	return p.cfg.SessionType != sshconfig.SessionNone && !p.cfg.StdinNull && !p.print.Moved() &&
		p.print.Level() >= sshconfig.LogInfo &&
		terminal.IsTerminal(int(p.std.Stdin.Fd())) && terminal.IsTerminal(int(p.std.Stderr.Fd()))
}

// forwardOver opens a forwarding for as long as this invocation lasts, which
// may be longer than one connection does. With insist one that fails is tried
// again.
func (p *program) forwardOver(ctx context.Context, c *client.Client, spec forward.Spec, insist bool) (*forward.Forward, error) {
	if p.kept == nil {
		return c.Forwards().Open(ctx, spec, p.forwardOptions())
	}
	f, err := p.kept.Forward(ctx, spec, p.forwardOptions())
	if err != nil {
		if f != nil && !insist {
			f.Stop()
		}
		return nil, err
	}
	return f.Forward(), nil
}

// stopForwards ends those that would be opened again.
func (p *program) stopForwards() {
	if p.kept == nil {
		return
	}
	for _, f := range p.kept.Forwards() {
		f.Stop()
	}
}

// aside puts the countdown aside while a question is asked: a server may want
// a password each time.
type aside struct {
	client.KeyPrompter
	s *stay
}

func (a aside) Password(ctx context.Context, q client.PasswordQuestion) (string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Password(ctx, q)
}

func (a aside) Challenge(ctx context.Context, q client.ChallengeQuestion) ([]string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Challenge(ctx, q)
}

func (a aside) Passphrase(ctx context.Context, q client.PassphraseQuestion) (string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Passphrase(ctx, q)
}

func (a aside) PIN(ctx context.Context, q client.PINQuestion) ([]byte, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.PIN(ctx, q)
}

// Touch puts the countdown aside until the key was touched.
func (a aside) Touch(ctx context.Context, n client.TouchNotice) func(confirmed bool) {
	back := a.s.view.Load().setAside()
	over := a.KeyPrompter.Touch(ctx, n)
	return func(confirmed bool) {
		over(confirmed)
		back()
	}
}

func (a aside) HostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.HostKey(ctx, q)
}
