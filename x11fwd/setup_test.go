package x11fwd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

var (
	fakeCookie = []byte("0123456789abcdef")
	realCookie = []byte("THE REAL COOKIE!")
)

// setupPacket is what an X11 program sends first.
func setupPacket(order binary.ByteOrder, protocol string, cookie []byte) []byte {
	head := make([]byte, setupHeader)
	head[0] = 'l'
	if order == binary.ByteOrder(binary.BigEndian) {
		head[0] = 'B'
	}
	order.PutUint16(head[2:], 11)
	order.PutUint16(head[6:], uint16(len(protocol)))
	order.PutUint16(head[8:], uint16(len(cookie)))
	pad := func(b []byte) []byte { return append(b, make([]byte, padded(len(b))-len(b))...) }
	return append(append(head, pad([]byte(protocol))...), pad(bytes.Clone(cookie))...)
}

func TestSetup(t *testing.T) {
	good := func(order binary.ByteOrder) []byte { return setupPacket(order, magicCookie, fakeCookie) }
	changed := func(at int, to byte) []byte {
		p := good(binary.LittleEndian)
		p[at] = to
		return p
	}
	huge := good(binary.LittleEndian)
	copy(huge[6:], "\xff\xff\xff\xff") // 128 KiB that never come
	for _, c := range []struct {
		name   string
		packet []byte
		want   []byte
		err    error
	}{
		{"little-endian", good(binary.LittleEndian), setupPacket(binary.LittleEndian, magicCookie, realCookie), nil},
		{"big-endian", good(binary.BigEndian), setupPacket(binary.BigEndian, magicCookie, realCookie), nil},
		{"the rest stays", append(good(binary.BigEndian), "more"...), setupPacket(binary.BigEndian, magicCookie, realCookie), nil},
		{"byte order", changed(0, 'x'), nil, ErrWrongAuth},
		{"another order than the numbers", changed(0, 'B'), nil, ErrWrongAuth},
		{"protocol", changed(setupHeader, 'm'), nil, ErrWrongAuth},
		{"last byte of the cookie", changed(setupHeader+20+15, 0), nil, ErrWrongAuth},
		{"the real cookie", setupPacket(binary.LittleEndian, magicCookie, realCookie), nil, ErrWrongAuth},
		{"shorter cookie", setupPacket(binary.LittleEndian, magicCookie, fakeCookie[:15]), nil, ErrWrongAuth},
		{"longer cookie", setupPacket(binary.LittleEndian, magicCookie, append(fakeCookie[:16:16], 0)), nil, ErrWrongAuth},
		{"nothing shown", setupPacket(binary.LittleEndian, "", nil), nil, ErrWrongAuth},
		{"lengths", huge, nil, ErrWrongAuth},
		{"empty", nil, nil, io.EOF},
		{"cut in the head", good(binary.LittleEndian)[:11], nil, io.ErrUnexpectedEOF},
		{"cut behind the head", good(binary.LittleEndian)[:12], nil, io.EOF},
		{"cut in the cookie", good(binary.LittleEndian)[:40], nil, io.ErrUnexpectedEOF},
	} {
		got, err := readSetup(bytes.NewReader(c.packet), magicCookie, fakeCookie, realCookie)
		if !bytes.Equal(got, c.want) || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
		}
	}
	// Cookies of unequal lengths are never mixed.
	if got, err := readSetup(bytes.NewReader(good(binary.LittleEndian)), magicCookie, fakeCookie, realCookie[:8]); got != nil || err != ErrWrongAuth {
		t.Errorf("unequal lengths: %q, %v", got, err)
	}
}

func FuzzSetup(f *testing.F) {
	f.Add(setupPacket(binary.LittleEndian, magicCookie, fakeCookie))
	f.Add(setupPacket(binary.BigEndian, "XDM-AUTHORIZATION-1", nil))
	f.Fuzz(func(t *testing.T, packet []byte) {
		got, err := readSetup(bytes.NewReader(packet), magicCookie, fakeCookie, realCookie)
		shown := bytes.Contains(packet, fakeCookie) && strings.Contains(string(packet), magicCookie)
		if err == nil && (!shown || !bytes.Contains(got, realCookie)) || err != nil && got != nil {
			t.Fatalf("%q: %q, %v", packet, got, err)
		}
	})
}
