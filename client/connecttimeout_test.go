package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gossh-project/gossh/sshconfig"
)

// A lateContext ends some time after its deadline, as any does on a machine
// that is busy.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// TestConnectTimeoutBeforeContext: net looks at the deadline itself and may be
// the first to see it pass.
func TestConnectTimeoutBeforeContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errMine := errors.New("mine")
		inner, cancel := context.WithTimeoutCause(t.Context(), time.Second+time.Millisecond, errMine)
		defer cancel()
		ctx := lateContext{inner, time.Now().Add(time.Second)}
		d := newDialer(Options{
			Logger: slog.New(slog.DiscardHandler),
			Config: &sshconfig.Config{HostName: "127.0.0.1", Port: 22},
			NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				time.Sleep(time.Second)
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
			},
		}, nil)
		if _, err := d.connectTCP(ctx); !errors.Is(err, errMine) {
			t.Errorf("%v, want the context's cause", err)
		}
	})
}
