package cli

import (
	"os"
	"runtime/debug"
)

// heapGrowth is how much the heap may grow, in percent of what is in use,
// before the garbage collector runs.
const heapGrowth = 400

// easeCollector lets a process that is to move data collect a quarter as often.
// x/crypto allocates each packet that it reads, and with Go's 100 % the less
// than a megabyte that is in use is gone through for every 4 MiB received: up
// to a third of a download's CPU time, for 12 MiB of memory. The user's GOGC
// comes first.
func easeCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
