// Package wire reads and writes the data types of the SSH protocols (RFC 4251,
// section 5). It allocates nothing but what a method returns as a string or a
// number, and never more than the message has.
package wire

import (
	"encoding/binary"
	"errors"
	"math/big"
	"strings"
)

// ErrShort is the error of a message that ends in the middle of a field.
var ErrShort = errors.New("truncated message")

// ErrTrailing is the error of a message that has more than its fields.
var ErrTrailing = errors.New("trailing bytes in message")

// ErrInvalid is the error of a field with a value that it must not have.
var ErrInvalid = errors.New("invalid field in message")

// A Reader reads the fields of a message from its front. After the first error
// every method returns a zero value, and Err returns that error, so that a caller
// can read all fields and check once.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of message. The slices that it returns share memory
// with message.
func NewReader(message []byte) *Reader { return &Reader{rest: message} }

// Next returns the next n bytes.
func (r *Reader) Next(n int) []byte {
	if n < 0 {
		r.fail(ErrInvalid)
	}
	return r.next(uint64(n))
}

func (r *Reader) next(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.rest)) {
		r.fail(ErrShort)
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if b := r.next(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads a boolean. Every value but 0 is true.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Uint32 reads a uint32.
func (r *Reader) Uint32() uint32 {
	if b := r.next(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads a uint64.
func (r *Reader) Uint64() uint64 {
	if b := r.next(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Bytes reads a string and returns its bytes, which are not copied.
func (r *Reader) Bytes() []byte { return r.next(uint64(r.Uint32())) }

// Text reads a string.
func (r *Reader) Text() string { return string(r.Bytes()) }

// MPInt reads an mpint of at most max bytes that is not negative.
func (r *Reader) MPInt(max int) *big.Int {
	b := r.Bytes()
	if len(b) > max || len(b) > 0 && b[0]&0x80 != 0 {
		r.fail(ErrInvalid)
		b = nil
	}
	return new(big.Int).SetBytes(b)
}

// NameList reads a name-list. An empty one has no names.
func (r *Reader) NameList() []string {
	text := r.Text()
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// Rest returns what was not read yet, and leaves it to be read.
func (r *Reader) Rest() []byte { return r.rest }

// More reports whether there is more to read, and no error.
func (r *Reader) More() bool { return r.err == nil && len(r.rest) > 0 }

// Fail makes ErrInvalid the error, unless there is one: a value that was read is
// not allowed.
func (r *Reader) Fail() { r.fail(ErrInvalid) }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err, r.rest = err, nil
	}
}

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// End returns the first error, or ErrTrailing if something was not read.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		return ErrTrailing
	}
	return r.err
}

// AppendUint32 appends a uint32.
func AppendUint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

// AppendUint64 appends a uint64.
func AppendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendString appends a string.
func AppendString[S ~string | ~[]byte](b []byte, s S) []byte {
	return append(AppendUint32(b, uint32(len(s))), s...)
}

// AppendNameList appends a name-list.
func AppendNameList(b []byte, names []string) []byte {
	return AppendString(b, strings.Join(names, ","))
}

// AppendMPInt appends a positive mpint, given its absolute value as big-endian
// bytes. It makes no copy of abs beside b, as abs may be a secret.
func AppendMPInt(b, abs []byte) []byte {
	for len(abs) > 0 && abs[0] == 0 {
		abs = abs[1:]
	}
	if len(abs) > 0 && abs[0]&0x80 != 0 {
		b = append(AppendUint32(b, uint32(len(abs)+1)), 0)
		return append(b, abs...)
	}
	return AppendString(b, abs)
}

// MPIntBody returns the bytes of a positive mpint without their length: no leading
// zeros but one if the first bit is set. The result may share memory with abs.
func MPIntBody(abs []byte) []byte {
	for len(abs) > 0 && abs[0] == 0 {
		abs = abs[1:]
	}
	if len(abs) > 0 && abs[0]&0x80 != 0 {
		return append([]byte{0}, abs...)
	}
	return abs
}
