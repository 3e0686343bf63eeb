package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/hostkey"
	"github.com/gossh-project/gossh/sshconfig"
)

// fakeServer dials connections without a network, so that the state machine
// runs on synctest's clock.
type fakeServer struct {
	mu      sync.Mutex
	dials   []time.Time
	errs    []error // for the dials to come; then they succeed
	conns   []*fakeKept
	refuse  int           // remote forwards to refuse from now on
	took    time.Duration // by each dial
	overlap bool          // a dial while a connection was not closed yet
}

func (s *fakeServer) dial(ctx context.Context, _ int) (keptConn, error) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	for _, c := range s.conns {
		s.overlap = s.overlap || !c.closed
	}
	took := s.took
	s.mu.Unlock()
	if err := sleep(ctx, took); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			return nil, err
		}
	}
	c := &fakeKept{srv: s}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.forwards = forward.New(c, nil)
	s.conns = append(s.conns, c)
	return c, nil
}

// last is the connection that was made last.
func (s *fakeServer) last() *fakeKept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[len(s.conns)-1]
}

// fail makes the next dials fail, or remote forwards refused.
func (s *fakeServer) fail(refuse int, errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.errs = refuse, errs
}

// gaps are the times from each dial to the next.
func (s *fakeServer) gaps() (out []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.dials); i++ {
		out = append(out, s.dials[i].Sub(s.dials[i-1]))
	}
	return out
}

type fakeKept struct {
	srv      *fakeServer
	ctx      context.Context
	cancel   context.CancelCauseFunc
	forwards *forward.Forwarder
	closed   bool
	hints    int
	requests []string
}

func (c *fakeKept) Done() <-chan struct{}        { return c.ctx.Done() }
func (c *fakeKept) Err() error                   { return context.Cause(c.ctx) }
func (c *fakeKept) Restricted() bool             { return false }
func (c *fakeKept) Forwards() *forward.Forwarder { return c.forwards }
func (c *fakeKept) Wait() error                  { <-c.ctx.Done(); return c.Err() }

func (c *fakeKept) Hint() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.hints++
}

func (c *fakeKept) Close() error {
	c.cancel(ErrClosed)
	c.forwards.Close()
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.closed = true
	return nil
}

func (c *fakeKept) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return nil, nil, errors.New("no channels here")
}

// SendRequest serves tcpip-forward; port 0 becomes 5000 plus the number of the
// connection.
func (c *fakeKept) SendRequest(name string, _ bool, payload []byte) (bool, []byte, error) {
	if c.ctx.Err() != nil {
		return false, nil, io.EOF
	}
	var p struct {
		Host string
		Port uint32
	}
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return false, nil, err
	}
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	c.requests = append(c.requests, fmt.Sprint(name, " ", p.Port))
	if name == "tcpip-forward" && s.refuse > 0 {
		s.refuse--
		return false, nil, nil
	}
	return true, ssh.Marshal(struct{ Port uint32 }{uint32(5000 + len(s.conns))}), nil
}

func (c *fakeKept) asked() []string {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	return slices.Clone(c.requests)
}

// keepFake starts a Kept on s whose states are collected.
func keepFake(t *testing.T, s *fakeServer, o KeepOptions) (*Kept, *keepLog) {
	l := new(keepLog)
	o.OnState, o.OnForward = l.state, l.forward
	k := keep(t.Context(), o.withDefaults(), s.dial)
	t.Cleanup(func() {
		k.Close()
		if s.overlap {
			t.Error("a dial before the connection before was closed")
		}
	})
	return k, l
}

type keepLog struct {
	mu       sync.Mutex
	states   []KeepState
	forwards []ForwardState
}

func (l *keepLog) state(s KeepState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, s)
}

func (l *keepLog) forward(s ForwardState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forwards = append(l.forwards, s)
}

func (l *keepLog) told() []ForwardState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.forwards)
}

// phases are the states in short, as "connecting 1".
func (l *keepLog) phases() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, s := range l.states {
		out = append(out, fmt.Sprint(s.Phase, " ", s.Attempt))
	}
	return strings.Join(out, ", ")
}

var errNet = &ConnError{Phase: PhaseConnect, Err: syscall.ECONNREFUSED}

func TestKeepReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{took: time.Second}
		k, l := keepFake(t, s, KeepOptions{})
		if _, err := k.Client(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.fail(0, errNet, errNet)
		s.last().cancel(io.EOF)
		synctest.Wait()
		if st := k.State(); st.Phase != KeepWaiting || st.Cause != io.EOF || st.Attempt != 1 {
			t.Errorf("after the loss: %+v", st)
		}
		time.Sleep(3 * time.Minute)
		want := "connecting 1, connected 1, waiting 1, connecting 1, waiting 2, connecting 2, waiting 3, connecting 3, connected 3"
		if got := l.phases(); got != want {
			t.Errorf("states %s\nwant   %s", got, want)
		}
		state := k.State()
		if want := s.dials[3].Add(s.took).Sub(s.dials[0].Add(s.took)); state.Down != want {
			t.Errorf("down for %v, want %v", state.Down, want)
		}
		s.last().cancel(io.EOF)
		synctest.Wait()
		if st := k.State(); st.Phase != KeepWaiting || st.Attempt != 1 || st.Up < time.Minute {
			t.Errorf("after a loss in good health: %+v", st)
		}
		k.Close()
		if !errors.Is(k.Err(), ErrClosed) || k.State().Phase != KeepEnded {
			t.Errorf("closed: %v, %+v", k.Err(), k.State())
		}
		if _, err := k.Client(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Client of a closed one: %v", err)
		}
	})
}

// TestKeepBackoff has each delay random between MinDelay and what has doubled,
// and never above MaxDelay.
func TestKeepBackoff(t *testing.T) {
	for name, random := range map[string]func(int64) int64{
		"least": func(int64) int64 { return 0 },
		"most":  func(n int64) int64 { return n - 1 },
		"any":   rand.Int64N,
	} {
		b := &backoff{least: time.Second, most: 20 * time.Second, random: random}
		b.reset()
		for range 2 {
			for i, ceiling := range []time.Duration{2, 4, 8, 16, 20, 20, 20} {
				got, most := b.next(), ceiling*time.Second
				if got < time.Second || got > most || name == "most" && got != most || name == "least" && got != time.Second {
					t.Errorf("%s: delay %d is %v, bounds 1s and %v", name, i+1, got, most)
				}
			}
			b.reset()
		}
	}
	if b := (&backoff{least: 1 << 61, most: 1 << 62, random: rand.Int64N, ceiling: 1 << 61}); b.next() < 1<<61 {
		t.Error("overflow")
	}
}

func TestKeepWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{errs: slices.Repeat([]error{errNet}, 12)}
		k, _ := keepFake(t, s, KeepOptions{MinDelay: time.Second, MaxDelay: 10 * time.Second})
		if _, err := k.Client(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, d := range s.gaps() {
			if most := min(2<<i, 10) * int(time.Second); d < time.Second || d > time.Duration(most) {
				t.Errorf("wait %d took %v, want at most %v", i+1, d, time.Duration(most))
			}
		}
	})
}

func TestKeepShortLivedCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(fakeServer)
		k, l := keepFake(t, s, KeepOptions{Attempts: 3})
		for range 3 { // connections that last for less than a minute
			if _, err := k.Client(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(59 * time.Second)
			s.last().cancel(io.EOF)
			synctest.Wait()
		}
		if !errors.Is(k.Wait(), io.EOF) {
			t.Errorf("ended with %v; %s", k.Err(), l.phases())
		}
	})
}

func TestKeepFinal(t *testing.T) {
	final := &AuthError{User: "u", Host: "h"}
	t.Run("first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k, l := keepFake(t, &fakeServer{errs: []error{errNet}}, KeepOptions{RequireFirst: true})
			if _, err := k.Client(t.Context()); err != errNet || l.phases() != "connecting 1, ended 1" {
				t.Errorf("%v; %s", err, l.phases())
			}
		})
	})
	t.Run("not retried", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &fakeServer{errs: []error{nil, errNet, final}}
			k, l := keepFake(t, s, KeepOptions{})
			k.Client(t.Context())
			s.last().cancel(io.EOF)
			if err := k.Wait(); err != final || len(s.dials) != 3 {
				t.Errorf("%v; %s", err, l.phases())
			}
		})
	})
	t.Run("attempts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &fakeServer{errs: slices.Repeat([]error{errNet}, 9)}
			k, l := keepFake(t, s, KeepOptions{Attempts: 4})
			if err := k.Wait(); err != errNet || len(s.dials) != 4 {
				t.Errorf("%v; %s", err, l.phases())
			}
		})
	})
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			errMine := errors.New("mine")
			for _, s := range []*fakeServer{{}, {took: time.Hour}, {errs: []error{errNet}}} { // connected, connecting, waiting
				ctx, cancel := context.WithCancelCause(t.Context())
				k := keep(ctx, (*KeepOptions)(nil).withDefaults(), s.dial)
				synctest.Wait()
				cancel(errMine)
				if err := k.Wait(); !errors.Is(err, errMine) || !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
				if len(s.conns) > 0 && !s.last().closed {
					t.Error("the connection stays")
				}
			}
		})
	})
}

func TestKeepClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := keepFake(t, &fakeServer{took: time.Hour}, KeepOptions{})
		errMine := errors.New("mine")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errMine)
		defer cancel()
		if _, err := k.Client(ctx); !errors.Is(err, errMine) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestKeepRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{errs: []error{errNet, errNet}}
		k, _ := keepFake(t, s, KeepOptions{MinDelay: time.Hour, MaxDelay: time.Hour})
		for i := range 2 {
			synctest.Wait()
			if len(s.dials) != i+1 {
				t.Fatalf("%d dials", len(s.dials))
			}
			k.Retry()
		}
		synctest.Wait()
		if k.State().Phase != KeepConnected || s.dials[2] != s.dials[0] {
			t.Errorf("%+v, dials %v", k.State(), s.gaps())
		}
		// One that comes when there is nothing to wait for is not kept.
		k.Retry()
		s.last().cancel(io.EOF)
		synctest.Wait()
		if k.State().Phase != KeepWaiting {
			t.Errorf("an old Retry ended a new wait: %+v", k.State())
		}
	})
}

func TestKeepHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{errs: slices.Repeat([]error{errNet}, 4)}
		k, _ := keepFake(t, s, KeepOptions{MinDelay: 10 * time.Second, MaxDelay: time.Hour})
		synctest.Wait()
		time.Sleep(time.Second)
		k.Hint()
		synctest.Wait()
		if got := s.gaps(); len(got) != 1 || got[0] != time.Second {
			t.Fatalf("a hint led to dials after %v, want at once", got)
		}
		// A burst of them does not make a burst of attempts.
		for range 9 {
			time.Sleep(time.Second)
			k.Hint()
		}
		synctest.Wait()
		if got := s.gaps(); len(got) != 1 {
			t.Fatalf("dials after %v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.gaps(); len(got) != 2 || got[1] != 10*time.Second {
			t.Fatalf("dials after %v", got)
		}
		k.Client(t.Context())
		k.Hint()
		synctest.Wait()
		if n := s.last().hints; n != 1 {
			t.Errorf("the connection was probed %d times", n)
		}
	})
}

func remote(port int) forward.Spec {
	return forward.Spec{Kind: forward.Remote, Listen: forward.Addr{Port: port}, Connect: forward.Addr{Host: "localhost", Port: 1}}
}

func TestKeepRestoresForwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(fakeServer)
		k, l := keepFake(t, s, KeepOptions{Forwards: []forward.Spec{remote(80)}})
		added, err := k.Forward(t.Context(), remote(0), forward.Options{})
		if err != nil || added.Forward().Spec().Listen.Port != 5001 {
			t.Fatal(err)
		}
		stopped, _ := k.Forward(t.Context(), remote(82), forward.Options{})
		cancelled, _ := k.Forward(t.Context(), remote(83), forward.Options{})
		stopped.Stop()
		cancelled.Forward().Stop() // as ~C and -O cancel would
		synctest.Wait()
		s.last().cancel(io.EOF)
		time.Sleep(time.Minute)
		// The port that the server chose once is asked for again.
		if got := fmt.Sprint(s.last().asked()); len(s.conns) != 2 || got != "[tcpip-forward 80 tcpip-forward 5001]" {
			t.Errorf("%d connections, asked for %s", len(s.conns), got)
		}
		if added.Forward() == nil || added.Forward().Spec().Listen.Port != 5001 || stopped.Forward() != nil || len(k.Forwards()) != 2 {
			t.Errorf("added is open: %v, stopped is: %v, %d forwards", added.Forward() != nil, stopped.Forward() != nil, len(k.Forwards()))
		}
		told := l.told()
		if len(told) != 3 || told[2].Forward != added || told[2].Open == nil {
			t.Errorf("told of %d", len(told))
		}
	})
}

// TestKeepHeldPort is a server that has not noticed the end of the connection
// that its port belongs to.
func TestKeepHeldPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(fakeServer)
		k, l := keepFake(t, s, KeepOptions{Forwards: []forward.Spec{remote(80)}})
		k.Client(t.Context())
		synctest.Wait()
		s.fail(4)
		s.last().cancel(io.EOF)
		time.Sleep(5 * time.Minute)
		f := k.Forwards()[0]
		if len(s.conns) != 2 || f.Forward() == nil || f.Err() != nil {
			t.Fatalf("%d connections, open: %v, %v", len(s.conns), f.Forward() != nil, f.Err())
		}
		told := l.told()
		for i, st := range told[1:] {
			var refused *forward.RefusedError
			if st.Attempt != i+1 || (i < 4) != (errors.As(st.Err, &refused) && !st.Until.IsZero()) || (i == 4) != (st.Open != nil) {
				t.Errorf("state %d: attempt %d, %v, until %v", i, st.Attempt, st.Err, st.Until)
			}
		}
		if len(told) != 6 {
			t.Errorf("%d states", len(told))
		}
	})
}

func TestKeepHeldPortForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{refuse: 1000}
		k, _ := keepFake(t, s, KeepOptions{})
		f, err := k.Forward(t.Context(), remote(80), forward.Options{})
		var refused *forward.RefusedError
		if !errors.As(err, &refused) || f == nil || !errors.As(f.Err(), &refused) {
			t.Fatal(f != nil, err)
		}
		time.Sleep(time.Minute)
		f.Stop()
		before := len(s.last().asked())
		time.Sleep(time.Hour)
		if after := s.last().asked(); before < 3 || len(after) != before {
			t.Errorf("%d requests, %d after Stop", before, len(after)-before)
		}
		// A port of the server's choice that cannot be had again is another.
		s.fail(0)
		k.Forward(t.Context(), remote(0), forward.Options{})
		s.fail(1)
		s.last().cancel(io.EOF)
		time.Sleep(2 * time.Minute)
		if got := fmt.Sprint(s.last().asked()); got != "[tcpip-forward 5001 tcpip-forward 0]" {
			t.Errorf("asked for %s", got)
		}
	})
}

// TestKeepForwardAwait: a forward is as good as its last attempt on the
// connection that is up, and is known by every port that it ever had.
func TestKeepForwardAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(fakeServer)
		k, _ := keepFake(t, s, KeepOptions{})
		f, err := k.Forward(t.Context(), remote(0), forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.last().cancel(io.EOF)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if open, err := f.Await(ctx); open != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no connection: %v, %v", open, err)
		}
		s.fail(1)
		open, err := f.Await(t.Context())
		if err != nil || open != f.Forward() || open.Spec().Listen.Port != 5002 || fmt.Sprint(f.Ports()) != "[5001 5002]" {
			t.Errorf("another port: %v, %v, %v", open, err, f.Ports())
		}
		held, _ := k.Forward(t.Context(), remote(80), forward.Options{})
		s.fail(1000)
		s.last().cancel(io.EOF)
		var refused *forward.RefusedError
		if open, err := held.Await(t.Context()); open != nil || !errors.As(err, &refused) {
			t.Errorf("held: %v, %v", open, err)
		}
		held.Stop()
		if open, err := held.Await(t.Context()); open != nil || !errors.Is(err, ErrClosed) {
			t.Errorf("stopped: %v, %v", open, err)
		}
		k.Close()
		if _, err := f.Await(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("ended: %v", err)
		}
	})
}

// lostMeanwhile is a connection that is withdrawn as soon as somebody has found
// it well.
type lostMeanwhile struct {
	*fakeKept
	once     sync.Once
	withdraw func()
}

func (c *lostMeanwhile) Err() error {
	c.once.Do(c.withdraw)
	return nil
}

// TestKeepForwardAwaitLost: nothing is open on a connection that was lost while
// it was looked at, and that is no success.
func TestKeepForwardAwaitLost(t *testing.T) {
	k := &Kept{changed: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	g := &generation{ctx: ctx}
	g.conn = &lostMeanwhile{withdraw: func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.setLive(nil)
		cancel()
	}}
	f := newKeptForward(k, forward.Spec{Kind: forward.Remote}, forward.Options{})
	k.live, f.tried = g, g
	if open, err := f.Await(ctx); open != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", open, err)
	}
}

func TestRetryable(t *testing.T) {
	conn := func(p Phase, err error) error { return fmt.Errorf("wrapped: %w", &ConnError{Phase: p, Err: err}) }
	for _, test := range []struct {
		err  error
		want bool
	}{
		{errNet, true},
		{conn(PhaseBanner, io.EOF), true},
		{conn(PhaseKex, ErrTimeout), true},
		{conn(PhaseAuth, io.EOF), true},
		{conn(PhaseResolve, &ResolveError{Host: "web-1", Err: io.EOF}), true},
		{conn(PhaseConnect, context.DeadlineExceeded), true},
		{conn(PhaseConnect, context.Canceled), false},
		{conn(PhaseAuth, &CallbackError{Name: "Password", Err: io.EOF}), false},
		{conn(PhaseAuth, net.ErrClosed), true},
		{conn(PhaseAuth, &DisconnectError{Reason: 2}), false},
		{conn(PhaseKex, &DisconnectError{Reason: 2}), true},
		{conn(PhaseAuth, &DisconnectError{Reason: 14}), false},
		{conn(PhaseKex, &DisconnectError{Reason: 12}), true},
		{conn(PhaseKex, &ssh.AlgorithmNegotiationError{}), false},
		{conn(PhaseConnect, &forward.OpenError{Reason: ssh.Prohibited}), false},
		{conn(PhaseConnect, &forward.OpenError{Reason: ssh.ConnectionFailed}), true},
		{conn(PhaseAuth, &AuthError{Errs: []error{io.EOF}}), false},
		{conn(PhaseKex, &hostkey.ChangedError{}), false},
		{conn(PhaseConfig, &sshconfig.Error{}), false},
		{conn(PhaseConfig, &TargetError{}), false},
		{conn(PhaseConfig, ErrTooManyJumps), false},
		{errors.New("whatever"), false},
	} {
		if got := Retryable(test.err); got != test.want {
			t.Errorf("%T %v: %v", test.err, test.err, got)
		}
	}
}
