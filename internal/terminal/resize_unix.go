//go:build linux || darwin || freebsd

package terminal

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Resizes reports the size of the terminal at fd each time it may have
// changed: at SIGWINCH, and at SIGCONT because a process that is stopped is
// told nothing. Sizes that the receiver is too slow for are replaced by the
// newest. The channel is closed when ctx is done, which is also what ends the
// goroutine behind it.
func Resizes(ctx context.Context, fd int) <-chan Size {
	r := &resizes{fd: fd, signals: make(chan os.Signal, 1), sizes: make(chan Size, 1)}
	signal.Notify(r.signals, unix.SIGWINCH, unix.SIGCONT)
	go r.run(ctx)
	return r.sizes
}

type resizes struct {
	fd      int
	signals chan os.Signal
	sizes   chan Size
}

// run ends when ctx is done.
func (r *resizes) run(ctx context.Context) {
	defer close(r.sizes)
	defer signal.Stop(r.signals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signals:
		}
		size, err := GetSize(r.fd)
		if err != nil {
			continue // hung up: the session is about to notice
		}
		replace(r.sizes, size)
	}
}
