package sshkey

import (
	"encoding/binary"
	"math/big"
)

// wire reads the types of RFC 4251. The first failure stays. Slices are parts
// of the input.
type wire struct {
	in     []byte
	failed bool
}

func (w *wire) take(n int) []byte {
	if w.failed || n > len(w.in) {
		w.failed = true
		return nil
	}
	out := w.in[:n:n]
	w.in = w.in[n:]
	return out
}

func (w *wire) byte() byte {
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

func (w *wire) string() []byte {
	n := w.uint32()
	if uint64(n) > uint64(len(w.in)) {
		w.failed = true
		return nil
	}
	return w.take(int(n))
}

// number reads an mpint, which OpenSSH takes for a positive one.
func (w *wire) number() *big.Int {
	text := w.string()
	if len(text) > maxInteger || len(text) > 0 && text[0]&0x80 != 0 {
		w.failed = true
		return new(big.Int)
	}
	return new(big.Int).SetBytes(text)
}

func appendString(b, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}
