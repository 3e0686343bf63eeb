package client

import (
	"context"
	"errors"
	"net"
	"os"
)

// passedConn is not possible: descriptors cannot be passed on Windows.
func passedConn(context.Context, string, string, *os.File) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}
