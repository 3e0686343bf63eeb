package terminal

// Opcodes of the encoded terminal modes that are neither flags nor special
// characters (RFC 4254, section 8).
const (
	ttyOpEnd    = 0
	ttyOpISpeed = 128
	ttyOpOSpeed = 129
)
