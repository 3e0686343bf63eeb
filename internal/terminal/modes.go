package terminal

import "encoding/binary"

// Opcodes of the encoded terminal modes that are not flags or special
// characters (RFC 4254, section 8).
const (
	ttyOpEnd    = 0
	ttyOpISpeed = 128
	ttyOpOSpeed = 129
)

// appendMode appends one opcode with its argument.
func appendMode(b []byte, op byte, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, op), value)
}
