//go:build !unix

package opensshd

import (
	"errors"
	"net"
	"os"
)

// socketPair is not available, and so Dial is not.
func socketPair() (net.Conn, *os.File, error) { return nil, nil, errors.ErrUnsupported }

func killTree(pid, _ int) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}
