package sshtest

import (
	"context"
	"sync"
	"time"
)

// Kind is the kind of a Record.
type Kind int

// The kinds of records.
const (
	Global  Kind = iota // a global request (RFC 4254, section 4)
	Open                // a channel that the client opened (section 5.1)
	Channel             // a request on such a channel (section 5.4)
)

// Record is a request of the client, or a channel that it opened. Records are in
// order of arrival, for global requests and opened channels, and for the
// requests on one channel. Requests on different channels that arrive at the
// same time may be in any order.
type Record struct {
	Kind Kind
	Type string // the type of the request or channel
	Conn int    // the connection, counted from 1

	// Channel counts the channels that the client opened on this connection,
	// from 1. Channels that the server opened count down from -1. Zero means a
	// global request.
	Channel int

	WantReply bool
	Payload   []byte // the part that depends on the type
	At        time.Time

	// RepliesBefore is the number of answers that were sent on the same channel
	// (for global requests: to global requests) before this request was read. If
	// it is zero for each of env, pty-req and exec, the client has sent them
	// without waiting.
	RepliesBefore int
}

// Attempt is one authentication attempt.
type Attempt struct {
	Conn   int
	User   string
	Method string // as in RFC 4252: none, publickey, password, keyboard-interactive

	// Fingerprint is the fingerprint of the key (of a certificate, of its key),
	// and KeyType its format. Signed distinguishes a signature from the offer of
	// a key. Algorithm is that of the signature.
	Fingerprint string
	KeyType     string
	Signed      bool
	Algorithm   string

	OK      bool  // accepted; for an offer, a signature was asked for
	Partial bool  // accepted, and another method is needed
	Err     error // the reason for a failure
	At      time.Time
}

// journal holds the records, and wakes goroutines that wait for more.
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

// touch wakes waiting goroutines after another change.
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

// Records returns all records so far.
func (s *Server) Records() []Record {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]Record(nil), s.journal.records...)
}

// Attempts returns all authentication attempts so far. Repeated offers of a key
// on the same connection count once.
func (s *Server) Attempts() []Attempt {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]Attempt(nil), s.journal.attempts...)
}

// Wait waits until cond returns true. It calls cond after each new record,
// attempt, connection or answer to a keepalive request, and after the end of any
// of these. It returns the error of ctx if that ends first.
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

// WaitRecord returns the first record of a kind and type, and waits until there
// is one.
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
