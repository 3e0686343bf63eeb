package sshkey

import "math/big"

// Tags of ASN.1, as identifier octets.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagSequence    = 0x30
	tagContext0    = 0xa0
	tagContext1    = 0xa1
	constructed    = 0x20
)

// maxNesting bounds how deep elements are looked into.
const maxNesting = 16

// maxInteger bounds the numbers of a key, in bytes: four times the largest
// modulus that OpenSSL computes with.
const maxInteger = 4 * 16384 / 8

// element is one element of BER (X.690). Unlike encoding/asn1, this reader
// accepts what OpenSSL accepts: indefinite lengths, lengths and integers with
// superfluous zeros, strings in pieces.
type element struct {
	tag  byte
	body []byte // part of the input
}

// ber is a sequence of elements that are read one after another. The first
// failure stays.
type ber struct {
	in     []byte
	failed bool
}

// readElement splits the first element off.
func readElement(in []byte, nesting int) (e element, rest []byte, ok bool) {
	if len(in) < 2 || in[0]&0x1f == 0x1f || nesting > maxNesting {
		return e, nil, false
	}
	tag, first := in[0], in[1]
	in = in[2:]
	if first == 0x80 {
		return readIndefinite(tag, in, nesting)
	}
	length := uint64(first)
	if first > 0x80 {
		n := int(first & 0x7f)
		if n > len(in) {
			return e, nil, false
		}
		length = 0
		for _, b := range in[:n] {
			if length >= 1<<32 {
				return e, nil, false
			}
			length = length<<8 | uint64(b)
		}
		in = in[n:]
	}
	if length > uint64(len(in)) {
		return e, nil, false
	}
	return element{tag, in[:length:length]}, in[length:], true
}

// readIndefinite reads an element up to its end-of-contents.
func readIndefinite(tag byte, in []byte, nesting int) (e element, rest []byte, ok bool) {
	if tag&constructed == 0 {
		return e, nil, false
	}
	for rest = in; ; {
		if len(rest) >= 2 && rest[0] == 0 && rest[1] == 0 {
			end := len(in) - len(rest)
			return element{tag, in[:end:end]}, rest[2:], true
		}
		if _, rest, ok = readElement(rest, nesting+1); !ok {
			return e, nil, false
		}
	}
}

func (b *ber) more() bool { return !b.failed && len(b.in) > 0 }

// peek returns the tag of the next element, 0 at the end.
func (b *ber) peek() byte {
	if !b.more() {
		return 0
	}
	return b.in[0]
}

// next reads an element of a tag; a string may be in pieces.
func (b *ber) next(tag byte) element {
	if b.failed {
		return element{}
	}
	e, rest, ok := readElement(b.in, 0)
	if !ok || e.tag != tag && (tag != tagOctetString && tag != tagBitString || e.tag != tag|constructed) {
		b.failed = true
		return element{}
	}
	b.in = rest
	return e
}

// sequence reads a SEQUENCE, or whatever else has elements.
func (b *ber) sequence(tag byte) *ber {
	e := b.next(tag)
	return &ber{in: e.body, failed: b.failed}
}

// integer reads a number, which OpenSSL takes for a positive one.
func (b *ber) integer() *big.Int {
	e := b.next(tagInteger)
	if len(e.body) > maxInteger {
		b.failed = true
	}
	if b.failed {
		return new(big.Int)
	}
	return new(big.Int).SetBytes(e.body)
}

// small reads a number of at most 32 bits, to be used as a count.
func (b *ber) small() int {
	n := b.integer()
	if n.BitLen() > 31 {
		b.failed = true
		return 0
	}
	return int(n.Int64())
}

// octets reads an OCTET STRING.
func (b *ber) octets() []byte {
	out, ok := joined(b.next(tagOctetString), 0)
	b.failed = b.failed || !ok
	return out
}

// joined puts the pieces of a string together.
func joined(e element, nesting int) ([]byte, bool) {
	if e.tag&constructed == 0 {
		return e.body, true
	}
	if nesting > maxNesting {
		return nil, false
	}
	var out []byte
	for in := e.body; len(in) > 0; {
		piece, rest, ok := readElement(in, nesting)
		if !ok || piece.tag&^constructed != tagOctetString {
			return nil, false
		}
		text, ok := joined(piece, nesting+1)
		if !ok {
			return nil, false
		}
		out, in = append(out, text...), rest
	}
	return out, true
}

// oid reads an OBJECT IDENTIFIER and returns its content, to be compared.
func (b *ber) oid() string { return string(b.next(tagOID).body) }

// algorithm is an AlgorithmIdentifier.
type algorithm struct {
	oid    string
	params []byte // the element, or nothing
}

func (b *ber) algorithm() algorithm {
	seq := b.sequence(tagSequence)
	a := algorithm{oid: seq.oid(), params: seq.in}
	b.failed = b.failed || seq.failed
	return a
}
