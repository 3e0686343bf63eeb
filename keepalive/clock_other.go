//go:build !linux

package keepalive

import "time"

// sleepMeter returns a function that returns how far the wall clock is ahead of the
// monotonic clock, which some systems stop while the machine sleeps. Setting the
// clock forward has the same effect, which is harmless: the peer gets a new budget.
// On systems where the monotonic clock runs on, the timer fires late instead.
func sleepMeter() func() time.Duration {
	start := time.Now()
	return func() time.Duration {
		now := time.Now()
		return now.Round(0).Sub(start.Round(0)) - now.Sub(start)
	}
}
