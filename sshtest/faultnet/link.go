package faultnet

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Direction is a direction of a link, or both.
type Direction int

// The directions. Up leads from the program under test to its peer (for a Proxy:
// from the client to the target), Down back.
const (
	Up   Direction = 1
	Down Direction = 2
	Both Direction = Up | Down
)

// Link holds the faults of a wrapped connection, or of all connections of a
// Proxy. Wrap and NewProxy create links; the zero value is not valid. The
// methods may be called at any time and from any goroutine. They apply to data
// that has not passed yet.
type Link struct {
	mu      sync.Mutex
	ways    [2]way
	changed chan struct{} // closed and replaced at each change
	carried map[*carrier]bool
}

// mode is what a direction does with data.
type mode int

const (
	passing mode = iota
	stalled
	swallowing
)

// way is the state of one direction of a Link.
type way struct {
	mode      mode
	latency   time.Duration
	bandwidth int // bytes per second; zero means no limit
	chunk     int // the largest piece in bytes; zero means no limit

	corruptAt map[int64]bool
	corruptP  float64
	random    *rand.Rand

	in, out int64 // bytes taken from the sender, bytes given to the receiver
}

func newLink() *Link {
	return &Link{changed: make(chan struct{}), carried: make(map[*carrier]bool)}
}

// change applies f to the directions d and wakes waiting goroutines.
func (l *Link) change(d Direction, f func(*way)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.ways {
		if d&(1<<i) != 0 {
			f(&l.ways[i])
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// SetLatency sets the delay of each byte. Order is kept: data waits for data
// before it, even if the latency was reduced.
func (l *Link) SetLatency(d Direction, latency time.Duration) {
	l.change(d, func(w *way) { w.latency = latency })
}

// SetBandwidth limits the link to bytesPerSecond; zero means no limit. For a
// Proxy the limit applies to each connection.
func (l *Link) SetBandwidth(d Direction, bytesPerSecond int) {
	l.change(d, func(w *way) { w.bandwidth = bytesPerSecond })
}

// SetChunk limits the size of the pieces that are delivered, so that reads are
// short; zero means no limit.
func (l *Link) SetChunk(d Direction, bytes int) {
	l.change(d, func(w *way) { w.chunk = bytes })
}

// Stall stops delivery, including ends of stream. Senders block when the buffers
// are full.
func (l *Link) Stall(d Direction) { l.change(d, func(w *way) { w.mode = stalled }) }

// BlackHole discards what is sent, including ends of stream. Senders never
// block, and receivers get nothing. After Resume data is missing in the stream,
// which does not happen in real networks, so a black hole usually stays.
func (l *Link) BlackHole(d Direction) { l.change(d, func(w *way) { w.mode = swallowing }) }

// Resume ends Stall and BlackHole.
func (l *Link) Resume(d Direction) { l.change(d, func(w *way) { w.mode = passing }) }

// CorruptAt flips all bits of the byte at an offset, counted from 0 over all
// bytes that were sent in this direction (see Bytes).
func (l *Link) CorruptAt(d Direction, offset int64) {
	l.change(d, func(w *way) {
		if w.corruptAt == nil {
			w.corruptAt = make(map[int64]bool)
		}
		w.corruptAt[offset] = true
	})
}

// CorruptRandomly flips all bits of each byte with probability p. seed
// determines the random sequence. Zero stops it.
func (l *Link) CorruptRandomly(d Direction, p float64, seed uint64) {
	l.change(d, func(w *way) { w.corruptP, w.random = p, rand.New(rand.NewPCG(seed, uint64(d))) })
}

// Bytes returns how many bytes were taken from senders and how many were given
// to receivers, summed over the directions d and all connections.
func (l *Link) Bytes(d Direction) (sent, received int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.ways {
		if d&(1<<i) != 0 {
			sent, received = sent+w.in, received+w.out
		}
	}
	return sent, received
}

// Cut closes the connections: both sides read EOF, and data on the way is lost.
// (If a socket has unread data, the kernel sends RST.)
func (l *Link) Cut() {
	for _, c := range l.carriers() {
		c.end(nil)
	}
}

// Reset resets the connections: both sides get ECONNRESET (TCP sockets by RST),
// and data on the way is lost.
func (l *Link) Reset() {
	for _, c := range l.carriers() {
		c.end(reset)
	}
}

func (l *Link) carriers() []*carrier {
	l.mu.Lock()
	defer l.mu.Unlock()
	var cs []*carrier
	for c := range l.carried {
		cs = append(cs, c)
	}
	return cs
}

// take is called with data from a sender. It corrupts the data in place, and
// returns its latency and whether it is discarded.
func (l *Link) take(i int, p []byte) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &l.ways[i]
	for j := range p {
		offset := w.in + int64(j)
		if w.corruptAt[offset] || w.corruptP > 0 && w.random.Float64() < w.corruptP {
			p[j] = ^p[j]
		}
		delete(w.corruptAt, offset)
	}
	w.in += int64(len(p))
	return w.latency, w.mode == swallowing
}

// gave counts bytes that were given to a receiver.
func (l *Link) gave(i, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ways[i].out += int64(n)
}

// state returns the current state of a direction, and a channel that is closed
// when it changes.
func (l *Link) state(i int) (way, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ways[i], l.changed
}

// passable waits until the direction is not stalled. It returns false if done is
// closed first.
func (l *Link) passable(i int, done <-chan struct{}) (way, bool) {
	for {
		w, changed := l.state(i)
		if w.mode != stalled {
			return w, true
		}
		select {
		case <-changed:
		case <-done:
			return w, false
		}
	}
}
