package keepalive

import "time"

// lateness is how late a timer must fire for this process to count as having
// been stopped, and how far the clocks must part for the machine to count as
// having slept.
const lateness = time.Second

// A clock tells the time, and how long the machine has slept.
type clock struct {
	now func() time.Time
	// asleep returns how long the machine has slept so far, counted from
	// any fixed point; only differences are looked at.
	asleep func() time.Duration
}

// orSystem fills in what is missing.
func (c clock) orSystem() clock {
	if c.now == nil {
		c.now = time.Now
	}
	if c.asleep == nil {
		c.asleep = sleepMeter()
	}
	return c
}
