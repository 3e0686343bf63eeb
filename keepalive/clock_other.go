//go:build !linux

package keepalive

import "time"

// sleepMeter tells how far the wall clock is ahead of the monotonic one, which
// stands still on some systems while the machine sleeps. Setting the clock
// forward looks the same, and does no harm: the peer gets a fresh budget.
// Where the monotonic clock runs on, the timer is late instead.
func sleepMeter() func() time.Duration {
	start := time.Now()
	return func() time.Duration {
		now := time.Now()
		return now.Round(0).Sub(start.Round(0)) - now.Sub(start)
	}
}
