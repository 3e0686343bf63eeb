package process

import (
	"sync"

	"github.com/gossh-project/gossh/internal/wipe"
)

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
