package sshtest

import (
	"context"
	"sync"
	"time"
)

// Kind tells what a Record is about.
type Kind int

// The kinds of records.
const (
	Global  Kind = iota // a global request (RFC 4254, section 4)
	Open                // a channel that the client opened (section 5.1)
	Channel             // a request on such a channel (section 5.4)
)

// Record is one thing that a client asked for. Records are in order of
// arrival: exactly so for global requests and opened channels together, and
// for the requests on one channel; what two channels get at the same time may
// change places.
type Record struct {
	Kind Kind
	Type string // the request's or the channel's type
	Conn int    // the connection, counted from 1

	// Channel counts the channels that the client opened on this connection,
	// from 1; channels that the server opened count down from -1. 0: global.
	Channel int

	WantReply bool
	Payload   []byte // the type-specific part
	At        time.Time

	// RepliesBefore is how many answers had been sent on the same channel
	// (for global requests: to global requests) when this one was read.
	// Zero for each of env, pty-req and exec means that they were pipelined.
	RepliesBefore int
}

// Attempt is one try to authenticate.
type Attempt struct {
	Conn   int
	User   string
	Method string // as in RFC 4252: none, publickey, password, keyboard-interactive

	// Fingerprint is that of the key (of a certificate: of the key in it),
	// KeyType its format. Signed tells an offer of the key (a query) from the
	// signature made with it; Algorithm is the signature's.
	Fingerprint string
	KeyType     string
	Signed      bool
	Algorithm   string

	OK      bool  // accepted; for an offer: a signature was asked for
	Partial bool  // accepted, and another method is needed
	Err     error // why not
	At      time.Time
}

// journal keeps what tests read, and wakes those that wait for more of it.
type journal struct {
	mu       sync.Mutex
	records  []Record
	attempts []Attempt
	changed  chan struct{} // closed and replaced at each change
}

func newJournal() *journal { return &journal{changed: make(chan struct{})} }

func (j *journal) record(r Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
	j.wake()
}

func (j *journal) attempt(a Attempt) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.attempts = append(j.attempts, a)
	j.wake()
}

// touch wakes the waiters after a change that is kept elsewhere.
func (j *journal) touch() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wake()
}

func (j *journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) next() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Records returns all requests and opened channels so far.
func (s *Server) Records() []Record {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]Record(nil), s.journal.records...)
}

// Attempts returns all tries to authenticate so far. Offers of a key that are
// repeated on the same connection are counted once.
func (s *Server) Attempts() []Attempt {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]Attempt(nil), s.journal.attempts...)
}

// Wait waits until cond holds, asking it again whenever there is a new
// record, attempt, connection, answer to a keepalive or end of any of these.
// It returns ctx's error if that comes first.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		changed := s.journal.next()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WaitRecord waits for a record of that kind and type and returns the first.
func (s *Server) WaitRecord(ctx context.Context, kind Kind, typ string) (Record, error) {
	var found Record
	err := s.Wait(ctx, func() bool {
		for _, r := range s.Records() {
			if r.Kind == kind && r.Type == typ {
				found = r
				return true
			}
		}
		return false
	})
	return found, err
}
