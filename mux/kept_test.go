//go:build linux || darwin || freebsd

package mux_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshtest"
)

// renewed is a connection that a test loses and brings back.
type renewed struct {
	*connection

	mu     sync.Mutex
	outage mux.Outage // zero: none
	all    []mux.PersistentForward
}

func (r *renewed) Current(ctx context.Context) (mux.Connection, error) { return r.connection, nil }

func (r *renewed) Outage() (mux.Outage, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outage, r.outage.Attempt > 0
}

func (r *renewed) PersistentForwards() []mux.PersistentForward {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func (r *renewed) OpenForward(ctx context.Context, spec forward.Spec, opts forward.Options) (mux.PersistentForward, error) {
	return nil, errors.New("none is to be opened")
}

// waiting is a forward that is not open.
type waiting struct {
	r     *renewed
	spec  forward.Spec
	ports []int
}

func (w *waiting) Spec() forward.Spec        { return w.spec }
func (w *waiting) Ports() []int              { return w.ports }
func (w *waiting) Forward() *forward.Forward { return nil }

func (w *waiting) Await(context.Context) (*forward.Forward, error) {
	return nil, &forward.RefusedError{Addr: w.spec.Listen}
}

func (w *waiting) Stop() error {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.all = slices.DeleteFunc(w.r.all, func(s mux.PersistentForward) bool { return s == mux.PersistentForward(w) })
	return nil
}

// TestWaitingForwards: what a server does not give at the moment can be named,
// by what was asked for and by each port that was told.
func TestWaitingForwards(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	r := &renewed{connection: conn}
	spec := func(port int) forward.Spec {
		return forward.Spec{Kind: forward.Remote, Listen: forward.Addr{Port: port}, Connect: forward.Addr{Host: "h", Port: 1}}
	}
	add := func(port int, ports ...int) mux.PersistentForward {
		w := &waiting{r, spec(port), ports}
		r.all = append(r.all, w)
		return w
	}
	var failed []string
	srv := listen(t, r, mux.ServerOptions{ForwardFailed: func(spec forward.Spec, text string, err error) {
		var refused *forward.RefusedError
		if errors.As(err, &refused) {
			failed = append(failed, text)
		}
	}})
	had, has, fixed := add(0, 5001, 5002), add(0, 5000, 5001), add(80)
	c := connect(t, srv.Path())
	var refusal *mux.RefusedError
	if _, err := c.OpenForward(patient(t), spec(80)); !errors.As(err, &refusal) || refusal.Reason != "remote port forwarding failed for listen port 80" {
		t.Error(err)
	}
	if len(failed) != 1 || failed[0] != "remote forward LOCALHOST:80 -> h:1" || len(r.all) != 3 {
		t.Errorf("%q, %d forwards", failed, len(r.all))
	}
	if text, err := c.Info(patient(t), "channels"); err != nil || strings.Count(text, "(not open at the moment)") != 3 {
		t.Errorf("%q, %v", text, err)
	}
	for _, step := range []struct {
		port int
		ends mux.PersistentForward
	}{{80, fixed}, {80, nil}, {5003, nil}, {5001, has}, {5001, had}, {5001, nil}} {
		before := r.PersistentForwards()
		err := c.CloseForward(patient(t), spec(step.port))
		left := r.PersistentForwards()
		if step.ends == nil {
			if !errors.As(err, &refusal) || refusal.Reason != "port not forwarded" || len(left) != len(before) {
				t.Errorf("%d: %v, %d left", step.port, err, len(left))
			}
		} else if err != nil || slices.Contains(left, step.ends) || len(left) != len(before)-1 {
			t.Errorf("%d: %v, %d left", step.port, err, len(left))
		}
	}
}

// stuck is a forward whose opening takes its time.
type stuck struct {
	waiting
	asked, stopped chan struct{}
}

func (s *stuck) Await(ctx context.Context) (*forward.Forward, error) {
	close(s.asked)
	select {
	case <-s.stopped:
		return nil, errors.New("stopped")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *stuck) Stop() error { close(s.stopped); return nil }

// TestStuckForwardCancelled: who waits for a forward does not keep another from
// cancelling it.
func TestStuckForwardCancelled(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	r := &renewed{connection: conn}
	spec := forward.Spec{Kind: forward.Remote, Listen: forward.Addr{Port: 80}, Connect: forward.Addr{Host: "h", Port: 1}}
	f := &stuck{waiting{r, spec, nil}, make(chan struct{}), make(chan struct{})}
	r.all = append(r.all, f)
	srv := listen(t, r, mux.ServerOptions{})
	waits, cancels := connect(t, srv.Path()), connect(t, srv.Path())
	opened := make(chan error, 1)
	go func() { // ends with the answer
		_, err := waits.OpenForward(patient(t), spec)
		opened <- err
	}()
	<-f.asked
	if err := cancels.CloseForward(patient(t), spec); err != nil {
		t.Fatal(err)
	}
	var refusal *mux.RefusedError
	if err := <-opened; !errors.As(err, &refusal) {
		t.Error(err)
	}
}

// TestOutage: who asks is told how the waiting goes.
func TestOutage(t *testing.T) {
	conn, _ := pipeConnection(t, sshtest.Options{})
	r := &renewed{connection: conn}
	c := connect(t, listen(t, r, mux.ServerOptions{}).Path())
	for _, o := range []mux.Outage{{}, {Attempt: 3}, {Attempt: 4, Next: time.Now().Add(time.Hour)}} {
		r.mu.Lock()
		r.outage = o
		r.mu.Unlock()
		status, err := c.Alive(patient(t))
		if err != nil || status.Attempt != o.Attempt || (status.Next > 59*time.Minute) != !o.Next.IsZero() {
			t.Errorf("%+v: %+v, %v", o, status, err)
		}
	}
}
