package terminal

// replace puts size into a channel of capacity one, in the place of one that
// nobody has taken. There must be no other sender.
func replace(sizes chan Size, size Size) {
	select {
	case <-sizes:
	default:
	}
	sizes <- size
}
