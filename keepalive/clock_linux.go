package keepalive

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepMeter returns a function that returns how long the machine has been
// suspended. CLOCK_BOOTTIME runs during suspension. CLOCK_MONOTONIC, which Go's
// timers use, does not.
func sleepMeter() func() time.Duration { return suspended }

func suspended() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil ||
		unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
