package process

import (
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gossh-project/gossh/internal/wipe"
)

// heapGrowth is the GOGC percentage of a process that moves data.
const heapGrowth = 400

// EaseCollector makes the garbage collector run a quarter as often, unless the
// user has set GOGC. x/crypto allocates each packet that it reads. With Go's
// default of 100 % the collector would run for every 4 MiB received, which costs
// up to a third of the CPU time of a download and saves 12 MiB of memory.
func EaseCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// collectDelay is how long a master waits for the next client before it returns
// memory to the system.
const collectDelay = 500 * time.Millisecond

// IdleCollector returns the memory of ended sessions to the system. The garbage
// collector alone would run only after 16 MiB, which is hundreds of sessions of a
// master. The zero IdleCollector is ready to use.
type IdleCollector struct {
	mu      sync.Mutex
	pending *time.Timer // nil if nothing is to be collected
}

// Schedule collects after a short delay. It does not block.
func (c *IdleCollector) Schedule() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		c.pending = time.AfterFunc(collectDelay, c.collect)
	}
}

func (c *IdleCollector) collect() {
	debug.FreeOSMemory()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = nil
}

// Secrets protects the keys and passwords that authentication reads. Between
// Protect and Forget other processes of the user cannot read the memory of this
// one. Forget overwrites the secrets. The zero Secrets is ready to use.
type Secrets struct {
	mu      sync.Mutex
	seen    bool
	restore func() // nil unless protected
}

// Protect starts the protection. Call it before a connection is made.
func (s *Secrets) Protect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restore == nil {
		s.restore = wipe.Undumpable()
	}
}

// Note records that a secret has been read.
func (s *Secrets) Note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = true
}

// Forget clears the secrets and ends the protection. Call it when the connection
// has been made or has failed.
func (s *Secrets) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen {
		wipe.Freed()
		s.seen = false
	}
	if s.restore != nil {
		s.restore()
		s.restore = nil
	}
}
