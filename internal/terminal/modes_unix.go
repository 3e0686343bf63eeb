//go:build linux || darwin || freebsd

package terminal

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A charMode is an opcode whose argument is a special character.
type charMode struct {
	op    byte
	index int // into Termios.Cc
}

// A flagMode is an opcode whose argument is 1 or 0.
type flagMode struct {
	op   byte
	mask uint64
}

// Modes returns the modes of the terminal at fd, encoded for pty-req (RFC
// 4254, section 8): the opcodes that OpenSSH sends, in its order, with
// TTY_OP_END last. If fd is not a terminal, the result is TTY_OP_END alone, as in
// OpenSSH. Call Modes before [MakeRaw]; afterwards use [State.Modes].
func Modes(fd int) []byte {
	termios, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return []byte{ttyOpEnd}
	}
	return encodeModes(termios)
}

func encodeModes(t *unix.Termios) []byte {
	b := appendMode(nil, ttyOpOSpeed, outputSpeed(t))
	b = appendMode(b, ttyOpISpeed, inputSpeed(t))
	for _, m := range charModes() {
		value := uint32(t.Cc[m.index])
		if value == posixVdisable {
			value = 255 // "disabled" in RFC 4254
		}
		b = appendMode(b, m.op, value)
	}
	b = appendFlags(b, uint64(t.Iflag), inputModes())
	b = appendFlags(b, uint64(t.Lflag), localModes())
	b = appendFlags(b, uint64(t.Oflag), outputModes())
	b = appendFlags(b, uint64(t.Cflag), controlModes())
	return append(b, ttyOpEnd)
}

// appendMode appends one opcode with its argument.
func appendMode(b []byte, op byte, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, op), value)
}

func appendFlags(b []byte, flags uint64, modes []flagMode) []byte {
	for _, m := range modes {
		value := uint32(0)
		if flags&m.mask != 0 {
			value = 1
		}
		b = appendMode(b, m.op, value)
	}
	return b
}

// controlModes returns the control flags, which are the same on all systems. The
// bit of CS7 is part of CS8, so for eight bits both are 1, as in OpenSSH.
func controlModes() []flagMode {
	return []flagMode{{90, unix.CS7}, {91, unix.CS8}, {92, unix.PARENB}, {93, unix.PARODD}}
}
