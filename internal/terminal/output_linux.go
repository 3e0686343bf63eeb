package terminal

import "golang.org/x/sys/unix"

// writeNow writes what fd takes without waiting, as if it were non-blocking
// (EAGAIN when it takes nothing): pipes do since Linux 6.4, sockets longer,
// terminals not. It makes large writes to a pipe possible, three times as fast
// as chunks that surely fit.
func writeNow(fd int, p []byte) (int, error) {
	return unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}
