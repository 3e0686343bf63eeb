package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"testing"
)

// TestVectors has the examples of RFC 4251, section 5.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		got  []byte
		want string
	}{
		{AppendUint32(nil, 699921578), "29b7f4aa"},
		{AppendString(nil, "testing"), "0000000774657374696e67"},
		{AppendMPInt(nil, nil), "00000000"},
		{AppendMPInt(nil, []byte{0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7}), "0000000809a378f9b2e332a7"},
		{AppendMPInt(nil, []byte{0x80}), "000000020080"},
		{AppendMPInt(nil, []byte{0, 0, 0x7f}), "000000017f"},
		{AppendNameList(nil, nil), "00000000"},
		{AppendNameList(nil, []string{"zlib"}), "000000047a6c6962"},
		{AppendNameList(nil, []string{"zlib", "none"}), "000000097a6c69622c6e6f6e65"},
		{AppendBool(AppendBool(nil, true), false), "0100"},
		{AppendUint64(nil, 1<<40), "0000010000000000"},
	} {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	b := append([]byte{7}, 2)
	b = AppendUint64(AppendUint32(b, 5), 6)
	b = AppendNameList(AppendString(AppendString(b, "bytes"), "text"), []string{"a", "b"})
	b = append(AppendMPInt(b, []byte{0xff}), "rest"...)
	r := NewReader(b)
	if r.Byte() != 7 || !r.Bool() || r.Uint32() != 5 || r.Uint64() != 6 || string(r.Bytes()) != "bytes" || r.Text() != "text" {
		t.Error("a value is wrong")
	}
	if names := r.NameList(); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %q", names)
	}
	if n := r.MPInt(2); n.Cmp(big.NewInt(255)) != 0 {
		t.Errorf("number %v", n)
	}
	if string(r.Rest()) != "rest" || !r.More() || !errors.Is(r.End(), ErrTrailing) || r.Err() != nil {
		t.Errorf("rest %q, %v", r.Rest(), r.Err())
	}
	if string(r.Next(4)) != "rest" || r.End() != nil || r.More() {
		t.Errorf("end %v", r.End())
	}
}

// TestErrors reads fields that are not there. The error stays.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   []byte
		read func(*Reader)
		want error
	}{
		"byte":                {nil, func(r *Reader) { r.Byte() }, ErrShort},
		"uint32":              {[]byte{1, 2, 3}, func(r *Reader) { r.Uint32() }, ErrShort},
		"uint64":              {make([]byte, 7), func(r *Reader) { r.Uint64() }, ErrShort},
		"string of no length": {[]byte{0, 0, 0}, func(r *Reader) { r.Bytes() }, ErrShort},
		"string too long":     {[]byte{0, 0, 0, 2, 'x'}, func(r *Reader) { r.Bytes() }, ErrShort},
		"string of 4 GiB":     {[]byte{0xff, 0xff, 0xff, 0xff, 'x'}, func(r *Reader) { r.Text() }, ErrShort},
		"name-list":           {[]byte{0, 0, 0, 1}, func(r *Reader) { r.NameList() }, ErrShort},
		"negative mpint":      {[]byte{0, 0, 0, 1, 0x80}, func(r *Reader) { r.MPInt(9) }, ErrInvalid},
		"mpint too long":      {[]byte{0, 0, 0, 2, 1, 1}, func(r *Reader) { r.MPInt(1) }, ErrInvalid},
		"bytes":               {[]byte{1}, func(r *Reader) { r.Next(2) }, ErrShort},
		"fewer than none":     {[]byte{1}, func(r *Reader) { r.Next(-1) }, ErrInvalid},
		"a refused value":     {[]byte{1}, func(r *Reader) { r.Byte(); r.Fail() }, ErrInvalid},
	} {
		r := NewReader(test.in)
		test.read(r)
		if !errors.Is(r.Err(), test.want) || !errors.Is(r.End(), test.want) || r.More() {
			t.Errorf("%s: %v, want %v", name, r.Err(), test.want)
		}
		if r.Byte() != 0 || r.Bool() || r.Uint32() != 0 || r.Uint64() != 0 || r.Bytes() != nil || r.Text() != "" ||
			r.NameList() != nil || r.MPInt(9).Sign() != 0 || r.Next(1) != nil || len(r.Rest()) != 0 {
			t.Errorf("%s: a value after the error", name)
		}
	}
}

func TestAllocations(t *testing.T) {
	b := AppendString(AppendUint32(nil, 1), "text")
	buf := make([]byte, 0, 64)
	secret := []byte{0, 0x80, 1}
	if n := testing.AllocsPerRun(100, func() {
		r := Reader{rest: b}
		r.Uint32()
		AppendString(AppendBool(buf, true), r.Bytes())
		AppendMPInt(buf, secret)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzReader reads a message by the types that its first half names, and checks
// that writing the values gives the bytes that were read.
func FuzzReader(f *testing.F) {
	f.Add([]byte{5}, AppendNameList(nil, []string{"a", "", "b"}))
	f.Add([]byte{0, 1, 2, 3}, AppendString(AppendUint32([]byte{1}, 2), "x"))
	f.Fuzz(func(t *testing.T, types, message []byte) {
		r := NewReader(message)
		var again []byte
		for _, kind := range types {
			before := len(again)
			switch kind % 6 {
			case 0:
				again = append(again, r.Byte())
			case 1:
				again = AppendUint32(again, r.Uint32())
			case 2:
				again = AppendUint64(again, r.Uint64())
			case 3:
				again = AppendString(again, r.Bytes())
			case 4:
				again = AppendString(again, r.Text())
			case 5:
				again = AppendNameList(again, r.NameList())
			}
			if r.Err() != nil {
				again = again[:before]
				break
			}
		}
		if !bytes.HasPrefix(message, again) {
			t.Fatalf("% x is not the beginning of % x", again, message)
		}
	})
}
