//go:build linux

package integration_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// books accounts for each byte of the transfers of a soak. It also serves the
// far end of each transfer.
type books struct {
	t    *testing.T
	port int

	mu      sync.Mutex
	entries map[uint64]*entry
	next    uint64
	wg      sync.WaitGroup
	random  *rand.Rand
}

// entry is one transfer: up bytes there and down bytes back, each a stream that
// follows from its number.
type entry struct {
	b        *books
	id       uint64
	up, down int64

	sent, received   atomic.Int64 // by who began it
	arrived, sentOff atomic.Int64 // at the far end
	visits           atomic.Int64 // to the far end: one connection cannot become two
	done             atomic.Bool  // who began it believes that all went well
}

func newBooks(t *testing.T) *books {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &books{t: t, port: l.Addr().(*net.TCPAddr).Port, entries: make(map[uint64]*entry), random: rand.New(rand.NewPCG(1, 2))}
	b.wg.Go(func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.wg.Wait()
	})
	return b
}

// entry begins a transfer.
func (b *books) entry() *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	e := &entry{b: b, id: b.next, up: b.random.Int64N(400 << 10), down: b.random.Int64N(400 << 10)}
	b.entries[e.id] = e
	return e
}

// settle records whether the transfer was completed.
func (e *entry) settle(done bool) { e.done.Store(done) }

func (e *entry) wrong(what string) { e.b.t.Errorf("transfer %d: %s is not what was sent", e.id, what) }

// serve is the far end: it checks what comes and sends what is to go back,
// both at once.
func (b *books) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	var header [24]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return
	}
	b.mu.Lock()
	e := b.entries[binary.BigEndian.Uint64(header[:])]
	b.mu.Unlock()
	if e == nil || int64(binary.BigEndian.Uint64(header[8:])) != e.up || int64(binary.BigEndian.Uint64(header[16:])) != e.down {
		b.t.Errorf("a header that was not sent: %x", header)
		return
	}
	e.visits.Add(1)
	var both sync.WaitGroup
	both.Go(func() {
		n, right, _ := verify(c, stream(e.id, 0), e.up)
		e.arrived.Store(n)
		if !right {
			e.wrong("what arrived")
		}
	})
	n, _ := io.Copy(c, io.LimitReader(stream(e.id, 1), e.down))
	e.sentOff.Store(n)
	if n == e.down {
		both.Wait()
		if e.arrived.Load() == e.up {
			c.Write([]byte{received})
			return
		}
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	both.Wait()
}

// check fails the test unless all that was acknowledged has arrived, and
// nothing else.
func (b *books) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sent, arrived int64
	for _, e := range b.entries {
		sent += e.sent.Load() + e.sentOff.Load()
		arrived += e.arrived.Load() + e.received.Load()
		if e.arrived.Load() > e.sent.Load() || e.received.Load() > e.sentOff.Load() {
			b.t.Errorf("transfer %d: more has come than was sent", e.id)
		}
		if e.done.Load() && (e.arrived.Load() != e.up || e.received.Load() != e.down) {
			b.t.Errorf("transfer %d went well with %d of %d bytes there and %d of %d back", e.id, e.arrived.Load(), e.up, e.received.Load(), e.down)
		}
		if e.visits.Load() > 1 {
			b.t.Errorf("transfer %d arrived %d times", e.id, e.visits.Load())
		}
	}
	b.t.Logf("%d transfers, %d bytes sent, %d arrived, %d lost with their connection", len(b.entries), sent, arrived, sent-arrived)
}

// stream returns the bytes of one direction of a transfer.
func stream(id, way uint64) io.Reader {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], id)
	binary.BigEndian.PutUint64(seed[8:], way)
	return rand.NewChaCha8(seed)
}

// received is the final byte of the far end: everything has arrived. An end of
// the stream alone does not show that; sshd also gives one when it loses its
// client.
const received = 6

// receipt reads the final byte and the end behind it.
func receipt(r io.Reader) error {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	if b[0] != received {
		return fmt.Errorf("a receipt of %d", b[0])
	}
	return nil
}

var errShort = errors.New("ended early")

// verify reads to the end and compares with want. It returns how many bytes
// came, whether they were right, and whether there were size of them and then
// an end.
func verify(r io.Reader, want io.Reader, size int64) (n int64, right bool, err error) {
	got, expected := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		m, rerr := r.Read(got)
		io.ReadFull(want, expected[:m])
		if n += int64(m); n > size || !bytes.Equal(got[:m], expected[:m]) {
			return n, false, nil
		}
		switch {
		case rerr == io.EOF && n == size:
			return n, true, nil
		case rerr == io.EOF:
			return n, true, errShort
		case rerr != nil:
			return n, true, rerr
		}
	}
}
