package x11fwd

import (
	"crypto/subtle"
	"encoding/binary"
	"io"
)

// The first packet of an X11 connection: byte order, a pad byte, two numbers of
// the protocol's version, the lengths of the authorization protocol's name and
// of its data, two pad bytes, and then name and data, each padded to a multiple
// of four.
const setupHeader = 12

// padded returns n rounded up to a multiple of four.
func padded(n int) int { return (n + 3) &^ 3 }

// readSetup reads the first packet, and returns it with the real cookie in place of the
// fake one. It returns ErrWrongAuth for a packet with anything else, or the error of
// reading.
func readSetup(r io.Reader, protocol string, fake, real []byte) ([]byte, error) {
	var head [setupHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	var order binary.ByteOrder
	switch head[0] {
	case 'B':
		order = binary.BigEndian
	case 'l':
		order = binary.LittleEndian
	default:
		return nil, ErrWrongAuth
	}
	nameLen, dataLen := int(order.Uint16(head[6:])), int(order.Uint16(head[8:]))
	// A packet with other lengths cannot contain the cookie, so it is not read.
	if nameLen != len(protocol) || dataLen != len(fake) {
		return nil, ErrWrongAuth
	}
	packet := make([]byte, setupHeader+padded(nameLen)+padded(dataLen))
	copy(packet, head[:])
	if _, err := io.ReadFull(r, packet[setupHeader:]); err != nil {
		return nil, err
	}
	name := packet[setupHeader : setupHeader+nameLen]
	data := packet[setupHeader+padded(nameLen):][:dataLen]
	if string(name) != protocol || subtle.ConstantTimeCompare(data, fake) != 1 || len(real) != len(fake) {
		return nil, ErrWrongAuth
	}
	copy(data, real)
	return packet, nil
}
