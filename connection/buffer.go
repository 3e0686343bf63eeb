package connection

// buffer is a ring of bytes that grows as needed. Who fills it bounds it.
type buffer struct {
	ring []byte
	r, n int // the first byte, and how many there are
}

// Sizes between which the ring grows, and above which it is given up when empty.
const (
	minRing  = 4 << 10
	keptRing = 128 << 10
)

func (b *buffer) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if need := b.n + len(p); need > len(b.ring) {
		larger := make([]byte, max(minRing, 2*len(b.ring), need))
		b.copyOut(larger)
		b.ring, b.r = larger, 0
	}
	at := (b.r + b.n) % len(b.ring)
	m := copy(b.ring[at:], p)
	copy(b.ring, p[m:])
	b.n += len(p)
}

// copyOut copies the first len(p) bytes, at most, without removing them.
func (b *buffer) copyOut(p []byte) int {
	if len(b.ring) == 0 {
		return 0
	}
	first := b.ring[b.r:min(b.r+b.n, len(b.ring))]
	m := copy(p, first)
	if m == len(first) {
		m += copy(p[m:], b.ring[:b.n-len(first)])
	}
	return m
}

func (b *buffer) read(p []byte) int {
	m := b.copyOut(p)
	b.skip(m)
	return m
}

func (b *buffer) skip(m int) {
	b.n -= m
	if b.n == 0 {
		b.r = 0
		if len(b.ring) > keptRing {
			b.ring = nil
		}
		return
	}
	b.r = (b.r + m) % len(b.ring)
}
