// Package reconnect keeps a connection: it makes a new one when one is lost, and
// shows the user how the wait goes, as a countdown at a terminal or else as lines
// of a log.
package reconnect

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gossh-project/gossh/client"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/internal/cli/message"
	"github.com/gossh-project/gossh/internal/cli/process"
	"github.com/gossh-project/gossh/internal/terminal"
	"github.com/gossh-project/gossh/sshconfig"
)

// Options are the options of Keep.
type Options struct {
	Print   *message.Printer
	Config  *sshconfig.Config
	Std     process.Std
	Guard   *process.Guard
	Secrets *process.Secrets

	Session bool   // a session reads standard input
	Restart string // what runs on a new connection, as a sentence
}

// Connections are the connections that follow one another. First and Next are
// for one goroutine.
type Connections struct {
	options Options
	kept    *client.Kept
	view    atomic.Pointer[countdown] // while a countdown is shown

	mu      sync.Mutex
	events  []event       // not handled yet
	showing bool          // First or Next handles events
	more    chan struct{} // holds a value while there are events
}

// event is a new state, or the result of a forwarding on a new connection.
type event struct {
	state   client.KeepState
	forward *client.ForwardState
}

// Keep starts to connect to host. An error of the first connection is final.
// The caller has to call Close.
func Keep(ctx context.Context, host string, dial *client.Options, o Options) *Connections {
	s := newConnections(o)
	s.kept = client.Keep(ctx, host, s.keepOptions(dial))
	return s
}

func newConnections(o Options) *Connections {
	return &Connections{options: o, more: make(chan struct{}, 1)}
}

// Kept returns the kept connection.
func (s *Connections) Kept() *client.Kept { return s.kept }

// Close ends the connection.
func (s *Connections) Close() error { return s.kept.Close() }

// keepOptions returns the options of the kept connection.
func (s *Connections) keepOptions(dial *client.Options) *client.KeepOptions {
	own := s.options.Config.Own
	o := &client.KeepOptions{
		Options:      *dial,
		MinDelay:     own.ReconnectMinDelay,
		MaxDelay:     own.ReconnectMaxDelay,
		Attempts:     own.ReconnectAttempts,
		RequireFirst: true,
		OnState:      s.addState,
		OnForward:    func(st client.ForwardState) { s.options.Guard.Run(func() { s.addForward(st) }) },
	}
	o.Prompter = asidePrompter{o.Prompter.(client.KeyPrompter), s}
	notify := o.Notify
	o.Notify = func(e client.Event) {
		if _, ok := e.(client.Banner); ok {
			s.view.Load().breakLine()
		}
		notify(e)
	}
	return o
}

// addState queues a state, which First or Next shows.
func (s *Connections) addState(st client.KeepState) {
	if st.Phase == client.KeepConnecting {
		s.options.Secrets.Protect()
	} else {
		s.options.Secrets.Forget()
	}
	s.mu.Lock()
	s.events = append(s.events, event{state: st})
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// addForward prints the result of a forwarding, or queues it if the state of its
// connection has not been shown yet.
func (s *Connections) addForward(st client.ForwardState) {
	s.mu.Lock()
	wait := s.showing || len(s.events) > 0
	if wait {
		s.events = append(s.events, event{forward: &st})
	}
	s.mu.Unlock()
	if !wait {
		s.options.Print.ForwardReopened(st) // Kept makes one call at a time
	}
}

// next returns the next state, if there is one.
func (s *Connections) next() (st client.KeepState, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.showing = true
	s.printForwards()
	if len(s.events) == 0 {
		return st, false
	}
	st, s.events = s.events[0].state, s.events[1:]
	return st, true
}

// endShowing prints the results of forwardings that are still queued, and makes
// addForward print further ones at once.
func (s *Connections) endShowing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printForwards()
	s.showing = false
}

// printForwards prints the results before the next state. The caller holds mu,
// which printForwards releases while it prints.
func (s *Connections) printForwards() {
	for len(s.events) > 0 && s.events[0].forward != nil {
		st := *s.events[0].forward
		s.events = s.events[1:]
		s.mu.Unlock()
		s.options.Print.ForwardReopened(st)
		s.mu.Lock()
	}
}

// First waits for the first connection and shows nothing. No context ends it: a
// signal has its usual effect meanwhile.
func (s *Connections) First() (*client.Client, error) {
	defer s.endShowing()
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

// Next waits for the next connection and shows the user how that goes.
func (s *Connections) Next(ctx context.Context) (*client.Client, error) {
	defer s.endShowing() // after the view is closed
	var view waitView = &waitLog{s.options}
	if s.atTerminal() {
		d := newCountdown(s.options)
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

// atTerminal reports whether a user at a terminal can be shown a countdown.
func (s *Connections) atTerminal() bool {
	o := s.options
	return o.Session && !o.Print.Moved() && o.Print.Level() >= sshconfig.LogInfo &&
		terminal.IsTerminal(int(o.Std.Stdin.Fd())) && terminal.IsTerminal(int(o.Std.Stderr.Fd()))
}

// asidePrompter removes the countdown while a question is asked.
type asidePrompter struct {
	client.KeyPrompter
	s *Connections
}

func (a asidePrompter) Password(ctx context.Context, q client.PasswordQuestion) (string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Password(ctx, q)
}

func (a asidePrompter) Challenge(ctx context.Context, q client.ChallengeQuestion) ([]string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Challenge(ctx, q)
}

func (a asidePrompter) Passphrase(ctx context.Context, q client.PassphraseQuestion) (string, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.Passphrase(ctx, q)
}

func (a asidePrompter) PIN(ctx context.Context, q client.PINQuestion) ([]byte, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.PIN(ctx, q)
}

// Touch removes the countdown until the key has been touched.
func (a asidePrompter) Touch(ctx context.Context, n client.TouchNotice) func(confirmed bool) {
	back := a.s.view.Load().setAside()
	over := a.KeyPrompter.Touch(ctx, n)
	return func(confirmed bool) {
		over(confirmed)
		back()
	}
}

func (a asidePrompter) HostKey(ctx context.Context, q hostkey.Question) (bool, error) {
	defer a.s.view.Load().setAside()()
	return a.KeyPrompter.HostKey(ctx, q)
}
