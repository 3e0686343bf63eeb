package cause

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	mine := errors.New("mine")
	running, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	plain, cancelPlain := context.WithCancel(t.Context())
	cancelPlain()
	withCause, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(mine)
	late, cancelLate := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), mine)
	defer cancelLate()
	child, cancelChild := context.WithCancelCause(late)
	defer cancelChild(nil)
	for name, test := range map[string]struct {
		ctx  context.Context
		want []error // nil: none
		not  error
	}{
		"running":           {running, nil, nil},
		"cancelled":         {plain, []error{context.Canceled}, context.DeadlineExceeded},
		"with a cause":      {withCause, []error{context.Canceled, mine}, context.DeadlineExceeded},
		"deadline":          {late, []error{context.DeadlineExceeded, mine}, context.Canceled},
		"child of deadline": {child, []error{context.DeadlineExceeded, mine}, context.Canceled},
	} {
		err := Of(test.ctx)
		if test.want == nil {
			if err != nil {
				t.Errorf("%s: %v, want nil", name, err)
			}
			continue
		}
		for _, want := range test.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v does not match %v", name, err, want)
			}
		}
		if errors.Is(err, test.not) {
			t.Errorf("%s: %v matches %v", name, err, test.not)
		}
		if err.Error() != context.Cause(test.ctx).Error() {
			t.Errorf("%s: text %q", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	err := Closed("room: closed")
	if err.Error() != "room: closed" || !errors.Is(err, net.ErrClosed) || errors.Is(err, Closed("room: closed")) {
		t.Errorf("%v", err)
	}
}
