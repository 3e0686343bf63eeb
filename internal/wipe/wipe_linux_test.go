package wipe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// marks writes a pattern that is nowhere else in memory: its key is kept, not
// the pattern.
type marks struct{ key [16]byte }

func newMarks() *marks {
	m := new(marks)
	rand.Read(m.key[:])
	return m
}

func (m *marks) put(p []byte) {
	for i := range p {
		p[i] = m.key[i%len(m.key)] ^ 0x5a
	}
}

// heapNear is how far from any object the heap of a test may be.
const heapNear = 1 << 30

// count finds the pattern in the heap, and in the stacks, which are of it.
func (m *marks) count(t *testing.T) int {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	defer mem.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	page := make([]byte, 1<<16)
	defer clear(page)
	here := int64(uintptr(unsafe.Pointer(&page[0])))
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || mode[:2] != "rw" ||
			to < here-heapNear || from > here+heapNear { // the race detector has far more
			continue
		}
		for at := from; at < to; at += int64(len(page)) {
			text := page[:min(int64(len(page)), to-at)]
			if _, err := mem.ReadAt(text, at); err != nil {
				break
			}
			for i := range text {
				text[i] ^= 0x5a // so that this buffer does not show what is looked for
			}
			n += bytes.Count(text, m.key[:])
			clear(text)
		}
	}
	return n
}

// litter leaves the pattern in objects of all sizes, each next to one that
// stays in use.
//
//go:noinline
func litter(m *marks) (kept [][]byte) {
	for size := 16; size <= 64<<10; size += size/8 + 8 {
		for range max(4, 32<<10/size) {
			m.put(make([]byte, size))
			kept = append(kept, make([]byte, size))
		}
	}
	return kept
}

func TestFreed(t *testing.T) {
	m := newMarks()
	var kept [][]byte
	OnOwnStack(func() { kept = litter(m) }) // the smallest things are on the stack
	before := m.count(t)
	if before == 0 {
		t.Fatal("the pattern is not found where it is")
	}
	Freed()
	// What is left is in memory that became a stack meanwhile.
	if n := m.count(t); n > before/5 {
		t.Errorf("%d patterns of %d are left", n, before)
	}
	for _, p := range kept {
		if bytes.ContainsFunc(p, func(r rune) bool { return r != 0 }) {
			t.Fatal("memory in use was overwritten")
		}
	}
}

// deep calls then with the pattern on the stack, in many calls.
//
//go:noinline
func deep(m *marks, depth int, then func()) byte {
	var room [512]byte
	m.put(room[:])
	if depth > 0 {
		deep(m, depth-1, then)
	} else {
		then()
	}
	return room[depth]
}

func TestOnOwnStack(t *testing.T) {
	m := newMarks()
	seen := 0
	OnOwnStack(func() { deep(m, 40, func() { seen = m.count(t) }) })
	if seen == 0 {
		t.Fatal("the pattern is not found where it is")
	}
	if n := m.count(t); n > 0 {
		t.Errorf("%d patterns are left", n)
	}
	defer func() {
		if r := recover(); r != "thrown" {
			t.Errorf("the panic became %v", r)
		}
	}()
	OnOwnStack(func() { panic("thrown") })
}

func TestKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{ed, &ed, ec, r, nil, "no key"} {
		Key(key)
	}
	if !bytes.Equal(ed, make([]byte, ed25519.PrivateKeySize)) {
		t.Error("the Ed25519 key is left")
	}
	//lint:ignore SA1019 there is no other way to the number itself
	if ec.D.Sign() != 0 {
		t.Error("the ECDSA key is left")
	}
	if r.D.Sign() != 0 || r.Primes[0].Sign() != 0 || r.Primes[1].Sign() != 0 || r.Precomputed.Qinv.Sign() != 0 {
		t.Error("the RSA key is left")
	}
}

func TestUndumpable(t *testing.T) {
	dumpable := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := dumpable()
	restore := Undumpable()
	again := Undumpable() // changes nothing, nor does its restore
	if n := dumpable(); n != 0 && before == 1 {
		t.Errorf("dumpable %d", n)
	}
	again()
	if n := dumpable(); n != 0 && before == 1 {
		t.Errorf("dumpable %d after the restore of another one", n)
	}
	restore()
	if n := dumpable(); n != before {
		t.Errorf("dumpable %d, %d before", n, before)
	}
}
