package transport

import (
	"io"
	"math/rand/v2"
)

// maxPacket is the largest length field that is accepted, and maxPayload the
// largest payload that is sent: OpenSSH's limits.
const (
	maxPacket  = 256 << 10
	maxPayload = maxPacket - 512
)

// Sizes of the read buffer. It grows when the peer fills it.
const (
	minReadBuffer = 4 << 10
	maxReadBuffer = 256 << 10
)

// input is the receiving half: what was read, and how it is protected.
type input struct {
	src   io.Reader
	buf   []byte
	r, w  int // what buf holds
	seq   uint32
	guard protection

	packets, bytes uint64 // under the present keys
}

// fill reads until n bytes are in the buffer.
func (in *input) fill(n int) error {
	if in.w-in.r >= n {
		return nil
	}
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	if len(in.buf)-in.r < n {
		if len(in.buf) >= n {
			in.w = copy(in.buf, in.buf[in.r:in.w])
		} else {
			larger := make([]byte, max(n, min(2*len(in.buf), maxReadBuffer), minReadBuffer))
			in.w = copy(larger, in.buf[in.r:in.w])
			in.buf = larger
		}
		in.r = 0
	}
	for in.w-in.r < n {
		m, err := in.src.Read(in.buf[in.w:])
		in.w += m
		if err != nil && in.w-in.r < n {
			if err == io.EOF && in.w > in.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	if in.w == len(in.buf) && len(in.buf) < maxReadBuffer {
		larger := make([]byte, min(2*len(in.buf), maxReadBuffer))
		in.w = copy(larger, in.buf[in.r:in.w])
		in.buf, in.r = larger, 0
	}
	return nil
}

// next returns the payload of the next packet. It is valid until the next call.
func (in *input) next() ([]byte, error) {
	head := in.guard.headSize()
	if err := in.fill(head); err != nil {
		return nil, err
	}
	length := in.guard.length(in.seq, in.buf[in.r:in.r+head])
	encrypted := uint64(length)
	if !in.guard.lengthApart() {
		encrypted += 4
	}
	if length < 5 || length > maxPacket || encrypted%uint64(in.guard.blockSize()) != 0 {
		return nil, in.badLength(length)
	}
	total := 4 + int(length) + in.guard.tagSize()
	if err := in.fill(total); err != nil {
		return nil, err
	}
	p := in.buf[in.r : in.r+total]
	in.r += total
	if err := in.guard.open(in.seq, p); err != nil {
		if s, ok := in.guard.(*stream); ok && s.cbc {
			in.discard(maxPacket - int(length))
		}
		return nil, err
	}
	in.seq++
	in.packets++
	in.bytes += uint64(total)
	padding := int(p[4])
	if padding < 4 || 1+padding >= int(length) {
		return nil, protocolErrorf("padding of %d bytes in a packet of %d", padding, length)
	}
	return p[5 : 4+int(length)-padding], nil
}

// badLength returns the error of a length that cannot be. A cipher in CBC mode
// first reads as much as the longest packet has, so that the time of the error
// says nothing of the length, which is a piece of decrypted text (CVE-2008-5161).
func (in *input) badLength(length uint32) error {
	if s, ok := in.guard.(*stream); ok && s.cbc && !s.mac.suite.etm {
		in.discard(maxPacket)
		return ErrCorrupted
	}
	return protocolErrorf("bad packet length %d", length)
}

func (in *input) discard(n int) {
	for n > 0 {
		if in.r == in.w && in.fill(1) != nil {
			return
		}
		m := min(n, in.w-in.r)
		in.r += m
		n -= m
	}
}

// output is the sending half. Its packets gather in pending until they are
// written.
type output struct {
	pending []byte
	spare   []byte // the buffer that was written last
	seq     uint32
	guard   protection
	padding *rand.ChaCha8 // padding is random (RFC 4253, section 6), and no secret

	packets, bytes uint64 // under the present keys
}

// append adds a packet whose payload is head followed by body.
func (out *output) append(head, body []byte) {
	block := out.guard.blockSize()
	n := 1 + len(head) + len(body)
	encrypted := n
	if !out.guard.lengthApart() {
		encrypted += 4
	}
	padding := block - encrypted%block
	if padding < 4 {
		padding += block
	}
	length := n + padding
	total := 4 + length + out.guard.tagSize()
	start := len(out.pending)
	out.pending = grow(out.pending, total)
	p := out.pending[start : start+total]
	p[0], p[1], p[2], p[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
	p[4] = byte(padding)
	copy(p[5:], head)
	copy(p[5+len(head):], body)
	out.padding.Read(p[4+n : 4+length])
	out.guard.seal(out.seq, p)
	out.seq++
	out.packets++
	out.bytes += uint64(total)
}

// grow lengthens b by n bytes.
func grow(b []byte, n int) []byte {
	if need := len(b) + n; need > cap(b) {
		larger := make([]byte, len(b), max(need, 2*cap(b), 1<<10))
		copy(larger, b)
		b = larger
	}
	return b[:len(b)+n]
}
