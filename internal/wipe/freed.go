// Package wipe keeps secrets from staying in the memory of the process. The
// garbage collector frees memory without overwriting it: a key or a password
// could be found there long after its last use.
package wipe

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
	"unsafe"
)

// Freed overwrites what nothing refers to any more. It takes some milliseconds,
// more with a large heap, and is for programs to call, not for libraries.
//
// It collects twice: the first time evicts what the standard library keeps for
// as long as a key lives (crypto/internal/fips140cache). Spans that are free as
// a whole go back to the system. In the others it allocates what is free, since
// the runtime overwrites memory when it is allocated. Meanwhile there is one P,
// so that no other one holds a span back.
//
// The stacks of goroutines that live keep what was on them: see OnOwnStack. What
// the runtime takes for a new stack between a collection and the end of it keeps
// what was there, too.
func Freed() {
	runtime.GOMAXPROCS(1)
	defer runtime.SetDefaultGOMAXPROCS()
	evict()
	debug.FreeOSMemory()
	overwriteFree()
}

// evictionTime bounds the wait for clean-ups, which run on a goroutine of the
// runtime.
const evictionTime = 100 * time.Millisecond

// evict collects, and returns once the clean-ups of that have run.
func evict() {
	cleaned := make(chan struct{})
	mark := new([2]*byte) // with pointers, or it would share its memory with others
	runtime.AddCleanup(mark, func(c chan struct{}) { close(c) }, cleaned)
	debug.FreeOSMemory()
	select {
	case <-cleaned: // queued with the others of this collection
	case <-time.After(evictionTime):
	}
}

// Facts of the runtime.
const (
	wordSize    = int(unsafe.Sizeof(uintptr(0)))
	pageSize    = 8 << 10
	maxPointers = 512 // the largest objects with pointers that have no header word
)

// overwriteFree allocates what is free of each size class: without pointers, as
// secrets are, and small objects with pointers, which may embed them.
func overwriteFree() {
	// A collection would hide what is free until it is swept.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	inUse := inUseMeter()
	sizes := largeClasses()
	for _, class := range stats.BySize {
		sizes = append(sizes, int(class.Size))
	}
	for _, size := range sizes {
		if size == 0 {
			continue
		}
		fill(size, inUse, func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]byte, size))) })
		if size <= maxPointers {
			fill(size, inUse, func() unsafe.Pointer {
				return unsafe.Pointer(unsafe.SliceData(make([]unsafe.Pointer, size/wordSize)))
			})
		}
	}
}

// largeClasses are the size classes that MemStats leaves out. Larger objects
// have a span of their own.
func largeClasses() []int {
	return []int{19072, 20480, 21760, 24576, 27264, 28672, 32768}
}

// maxFill bounds what fill allocates of a class: far more than is free in any.
const maxFill = 4 << 20

// fill allocates objects of a size class, by the page, until the heap grows:
// then no more of them are free in the spans that it had.
func fill(size int, inUse func() uint64, alloc func() unsafe.Pointer) {
	for total, before := 0, inUse(); total < maxFill; {
		for range max(1, pageSize/size) {
			runtime.KeepAlive(alloc()) // which makes it escape to the heap
			total += size
		}
		now := inUse()
		if now > before {
			return
		}
		before = now
	}
}

// inUseMeter returns a function that measures the spans in use.
func inUseMeter() func() uint64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
	}
	return func() uint64 {
		metrics.Read(samples)
		return samples[0].Value.Uint64() + samples[1].Value.Uint64()
	}
}
