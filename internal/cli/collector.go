package cli

import (
	"os"
	"runtime/debug"
	"sync"
	"time"
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

// collectDelay is how long a master waits for the next client before it gives
// memory back.
const collectDelay = 500 * time.Millisecond

// idleCollector gives the memory of sessions that have ended back to the
// system. Of itself the garbage collector runs only after 16 MiB, which for a
// master is hundreds of sessions.
type idleCollector struct {
	mu      sync.Mutex
	pending *time.Timer // nil if nothing is to be collected
}

// schedule collects soon. It does not block.
func (c *idleCollector) schedule() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		c.pending = time.AfterFunc(collectDelay, c.collect)
	}
}

func (c *idleCollector) collect() {
	debug.FreeOSMemory()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = nil
}
