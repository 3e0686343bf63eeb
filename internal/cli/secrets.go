package cli

import (
	"sync"

	"github.com/gossh-project/gossh/internal/wipe"
)

// secrets protects the keys and passwords that authentication reads. Other
// processes of the user cannot read the memory of this one until authentication
// is over, and then the secrets are overwritten. The zero value is ready for
// use.
type secrets struct {
	mu      sync.Mutex
	seen    bool
	restore func() // nil unless guarded
}

// guard is called before a connection is made.
func (s *secrets) guard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restore == nil {
		s.restore = wipe.Undumpable()
	}
}

// note is called when a secret was read.
func (s *secrets) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = true
}

// forget is called when the connection is made, or could not be.
func (s *secrets) forget() {
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
