package keepalive

import "time"

// lateness is the delay of a timer from which on the process counts as having been
// stopped, and the difference of the clocks from which on the machine counts as
// having slept.
const lateness = time.Second

// A clock returns the time, and how long the machine has slept.
type clock struct {
	now func() time.Time
	// asleep returns how long the machine has slept since a fixed point. Only
	// differences are used.
	asleep func() time.Duration
}

// orSystem returns c with the system's functions in place of nil ones.
func (c clock) orSystem() clock {
	if c.now == nil {
		c.now = time.Now
	}
	if c.asleep == nil {
		c.asleep = sleepMeter()
	}
	return c
}
