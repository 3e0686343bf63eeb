package mux

import (
	"sync"
	"time"
)

const (
	// stepTimeout is for what a client does at once if it does it at all.
	stepTimeout = 10 * time.Second

	// silenceTimeout is for a client that is connected and wants nothing.
	silenceTimeout = time.Minute

	// farewellTimeout is for a client to take the last line of its session.
	farewellTimeout = time.Second

	// stayInterval is how often a client shows that it is there: before it has
	// been silent for silenceTimeout.
	stayInterval = 20 * time.Second

	// helloTimeout is for a master to show that it is there.
	helloTimeout = 10 * time.Second

	// linger is how long a channel that its client has closed may go on
	// sending what the client sent before.
	linger = 10 * time.Second

	// unresponsive is how long the end of a proxy client waits for the server
	// to agree to the end of its channels. Otherwise they end with the SSH
	// connection.
	unresponsive = 5 * time.Second
)

// soon is a deadline for what is already under way.
func soon() time.Time { return time.Now().Add(100 * time.Millisecond) }

// past is a deadline that interrupts.
func past() time.Time { return time.Unix(1, 0) }

// setNoDeadline lifts every limit.
func setNoDeadline(c interface{ SetDeadline(time.Time) error }) { c.SetDeadline(time.Time{}) }

// waitFor waits for a group, but not for ever. The goroutine that is left
// behind then ends with the group.
func waitFor(group *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
