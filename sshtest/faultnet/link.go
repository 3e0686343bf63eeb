package faultnet

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Direction is a way through a link, or both.
type Direction int

// The directions. Up is from the program under test to its peer (for a Proxy:
// from who connects to the target), Down is the way back.
const (
	Up   Direction = 1
	Down Direction = 2
	Both Direction = Up | Down
)

// Link holds the faults of one wrapped connection, or of all connections of
// one Proxy. The zero value is not usable; Wrap and NewProxy make links. Its
// methods may be called at any time, from any goroutine, and take effect on
// what has not passed yet.
type Link struct {
	mu      sync.Mutex
	ways    [2]way
	changed chan struct{} // closed and replaced at each change
	carried map[*carrier]bool
}

// mode is what a way does with bytes.
type mode int

const (
	passing mode = iota
	stalled
	swallowing
)

// way is one direction of a Link.
type way struct {
	mode      mode
	latency   time.Duration
	bandwidth int // bytes a second; 0: no limit
	chunk     int // most bytes in one piece; 0: no limit

	corruptAt map[int64]bool
	corruptP  float64
	random    *rand.Rand

	in, out int64 // bytes taken from the sender, given to the receiver
}

func newLink() *Link {
	return &Link{changed: make(chan struct{}), carried: make(map[*carrier]bool)}
}

// change applies f to the ways of d and wakes whoever waits for a change.
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

// SetLatency makes each byte take that much longer. Order is kept: what
// follows a byte that is under way waits for it, even if latency has fallen.
func (l *Link) SetLatency(d Direction, latency time.Duration) {
	l.change(d, func(w *way) { w.latency = latency })
}

// SetBandwidth limits the link to bytesPerSecond; 0 lifts the limit. For a
// Proxy it holds for each connection.
func (l *Link) SetBandwidth(d Direction, bytesPerSecond int) {
	l.change(d, func(w *way) { w.bandwidth = bytesPerSecond })
}

// SetChunk limits what is delivered in one piece, so that readers get short
// reads; 0 lifts the limit.
func (l *Link) SetChunk(d Direction, bytes int) {
	l.change(d, func(w *way) { w.chunk = bytes })
}

// Stall stops delivery, ends of stream included. Senders go on until the
// buffers on the way are full, then block.
func (l *Link) Stall(d Direction) { l.change(d, func(w *way) { w.mode = stalled }) }

// BlackHole swallows what is sent, ends of stream included: senders never
// block, receivers never hear. After Resume the stream has a gap, as no real
// network would leave; a black hole usually lasts.
func (l *Link) BlackHole(d Direction) { l.change(d, func(w *way) { w.mode = swallowing }) }

// Resume ends Stall and BlackHole.
func (l *Link) Resume(d Direction) { l.change(d, func(w *way) { w.mode = passing }) }

// CorruptAt flips all bits of the byte at that offset of the way, counted
// from 0 over all bytes that its senders have sent (see Bytes).
func (l *Link) CorruptAt(d Direction, offset int64) {
	l.change(d, func(w *way) {
		if w.corruptAt == nil {
			w.corruptAt = make(map[int64]bool)
		}
		w.corruptAt[offset] = true
	})
}

// CorruptRandomly flips all bits of each byte with probability p, by a random
// sequence that seed determines. 0 ends it.
func (l *Link) CorruptRandomly(d Direction, p float64, seed uint64) {
	l.change(d, func(w *way) { w.corruptP, w.random = p, rand.New(rand.NewPCG(seed, uint64(d))) })
}

// Bytes returns how many bytes were taken from senders and how many reached
// receivers, summed over the ways of d and all connections.
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

// Cut closes the connections: both sides read EOF, bytes under way are lost.
// (A kernel turns the close of a socket that has unread data into an RST.)
func (l *Link) Cut() {
	for _, c := range l.carriers() {
		c.end(nil)
	}
}

// Reset breaks the connections: both sides get ECONNRESET (from a TCP socket
// by a real RST), bytes under way are lost.
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

// take is called with bytes fresh from a sender; it corrupts them in place
// and returns the latency that they get and whether they are swallowed.
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

// gave counts bytes that have reached a receiver.
func (l *Link) gave(i, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ways[i].out += int64(n)
}

// state returns what a carrier needs to know now, and a channel that is
// closed when that changes.
func (l *Link) state(i int) (way, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ways[i], l.changed
}

// passable waits until the way is not stalled; false: done came first.
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
