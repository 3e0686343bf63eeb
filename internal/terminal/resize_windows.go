package terminal

import (
	"context"
	"time"
)

// resizePoll is how often the console is asked for its size. The event that
// the console has for it comes among the keystrokes, and reading it would take
// them from the session.
const resizePoll = 250 * time.Millisecond

// Resizes reports the size of the console at fd each time it has changed.
// Sizes that the receiver is too slow for are replaced by the newest. The
// channel is closed when ctx is done, which is also what ends the goroutine
// behind it.
func Resizes(ctx context.Context, fd int) <-chan Size {
	sizes := make(chan Size, 1)
	go pollSize(ctx, fd, sizes)
	return sizes
}

// pollSize ends when ctx is done.
func pollSize(ctx context.Context, fd int, sizes chan Size) {
	defer close(sizes)
	ticker := time.NewTicker(resizePoll)
	defer ticker.Stop()
	last, _ := GetSize(fd)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if size, err := GetSize(fd); err == nil && size != last {
			last = size
			replace(sizes, size)
		}
	}
}
