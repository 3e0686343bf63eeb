package hostkey

import (
	"encoding/binary"
	"errors"
)

// errShort means that a binary message ended too early.
var errShort = errors.New("truncated message")

// wire reads the data types of RFC 4251, section 5, off the front of a buffer.
// The first error sticks: after it every read gives zeroes.
type wire struct {
	rest []byte
	err  error
}

func (w *wire) take(n uint64) []byte {
	if w.err != nil || n > uint64(len(w.rest)) {
		w.err = errShort
		w.rest = nil
		return nil
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b
}

func (w *wire) uint8() uint8 {
	if b := w.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (w *wire) uint32() uint32 {
	if b := w.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *wire) uint64() uint64 {
	if b := w.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// string is a byte string; it shares memory with the buffer.
func (w *wire) string() []byte { return w.take(uint64(w.uint32())) }

// more reports that something is left and nothing went wrong.
func (w *wire) more() bool { return w.err == nil && len(w.rest) > 0 }

// appendString appends a byte string with its length.
func appendString(to, s []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(s)))
	return append(to, s...)
}
