package keepalive

import (
	"io"
	"net"
	"testing"
	"time"
)

// settle waits until the kernel's figures satisfy ok.
func settle(t *testing.T, q *tcpQueue, ok func(acked, queued uint64) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		acked, queued, known := q.measure()
		if !known {
			t.Fatal("the kernel does not say")
		}
		if ok(acked, queued) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("acked %d, queued %d, and it stays so", acked, queued)
		}
	}
}

// jam writes until the peer's buffer and ours are full, and nothing moves.
func jam(t *testing.T, w *Conn, q *tcpQueue) {
	t.Helper()
	w.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	writeAll(w)
	w.SetWriteDeadline(time.Time{})
	var last uint64
	same := 0
	settle(t, q, func(acked, queued uint64) bool {
		if same++; acked != last {
			same, last = 0, acked
		}
		return queued > 0 && same > 100
	})
}

// Over TCP the kernel tells what the peer has acknowledged. What was queued
// ahead of the request counts, what came after it does not.
func TestBacklogTCP(t *testing.T) {
	a, b := tcpPair(t)
	// Small buffers make a short test.
	a.SetWriteBuffer(256 << 10)
	b.SetReadBuffer(32 << 10)
	c := WrapConn(a)
	var log backlog
	log.init(c)
	if log.tcp == nil {
		t.Fatal("no queue for a TCP connection")
	}

	log.begin(c)
	if log.acked != log.mark || log.progressed(c) {
		t.Errorf("an empty queue gives grace: %+v", log)
	}

	jam(t, c, log.tcp)
	log.begin(c)
	if log.acked >= log.mark {
		t.Fatalf("nothing queued: %+v", log)
	}
	for range 2 {
		if log.progressed(c) {
			t.Error("progress, though the peer reads nothing")
		}
	}
	before := log.acked
	if _, err := io.CopyN(io.Discard, b, 200<<10); err != nil {
		t.Fatal(err)
	}
	settle(t, log.tcp, func(acked, _ uint64) bool { return acked > before })
	if !log.progressed(c) {
		t.Error("no progress, though the peer reads")
	}

	// The rest arrives: once more progress, and then never again.
	mark := log.mark
	b.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	io.Copy(io.Discard, b)
	settle(t, log.tcp, func(acked, queued uint64) bool { return acked >= mark || queued == 0 })
	if !log.progressed(c) {
		t.Error("no progress at the end of the queue")
	}
	jam(t, c, log.tcp)
	for range 2 {
		if log.progressed(c) {
			t.Error("what was sent after the request gives grace")
		}
		b.SetReadDeadline(time.Time{})
		io.CopyN(io.Discard, b, 200<<10)
	}
	a.Close()
	if log.progressed(c) {
		t.Error("a closed connection gives grace")
	}
}

// channelOver is a connection that is carried by another.
type channelOver struct{ net.Conn }

func (channelOver) Write(p []byte) (int, error) { return len(p), nil }
func (c channelOver) Carrier() net.Conn         { return c.Conn }

// A channel through a jump host has the queue to the jump host ahead of its
// questions, and its window.
func TestBacklogCarried(t *testing.T) {
	a, b := tcpPair(t)
	a.SetWriteBuffer(256 << 10)
	b.SetReadBuffer(32 << 10)
	c := WrapConn(channelOver{channelOver{a}}) // through two
	var log backlog
	log.init(c)
	if log.tcp == nil || !log.carried {
		t.Fatalf("%+v", log)
	}
	log.begin(c)
	if log.progressed(c) {
		t.Error("nothing is queued")
	}
	jam(t, WrapConn(a), log.tcp)
	log.begin(c)
	if log.progressed(c) {
		t.Error("progress, though the jump host reads nothing")
	}
	before := log.acked
	if _, err := io.CopyN(io.Discard, b, 200<<10); err != nil {
		t.Fatal(err)
	}
	settle(t, log.tcp, func(acked, _ uint64) bool { return acked > before })
	if !log.progressed(c) {
		t.Error("no progress, though the jump host reads")
	}
	// Nothing moves there, but the window of the channel has opened.
	settle(t, log.tcp, func(acked, _ uint64) bool { stays := acked == log.acked; log.acked = acked; return stays })
	log.blocked = true
	c.Write(make([]byte, 10))
	if !log.progressed(c) {
		t.Error("no progress, though a held up Write went through")
	}
}
