package mux

import (
	"bufio"
	"bytes"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// replayConn lets x/crypto speak the connection protocol on a control socket
// on which the request for proxy mode has been made and answered: it makes the
// request again, gets the answer played back, and neither reaches the socket.
//
// The connection protocol is the same in both directions, so the one who
// asked and the one who was asked are served alike.
type replayConn struct {
	net.Conn
	reader  io.Reader // the answers, then what comes from the socket
	swallow int       // how many messages are still to be held back
}

// x/crypto sends HELLO and PROXY, the latter with the request id 0, and each
// with one Write (ssh/control.go).
const replayedMessages = 2

func newReplayConn(c net.Conn) (*replayConn, error) {
	var answers bytes.Buffer
	for _, m := range []message{&helloMessage{version: version}, &plainReply{kind: msgProxyReply}} {
		b, err := frame(m)
		if err != nil {
			return nil, err
		}
		answers.Write(b)
	}
	// From here on no descriptor is passed, so reading ahead does no harm.
	live := bufio.NewReaderSize(c, 64<<10)
	return &replayConn{Conn: c, reader: io.MultiReader(&answers, live), swallow: replayedMessages}, nil
}

func (r *replayConn) Read(p []byte) (int, error) { return r.reader.Read(p) }

// Write is called by one goroutine until both messages are out.
func (r *replayConn) Write(p []byte) (int, error) {
	if r.swallow > 0 {
		r.swallow--
		return len(p), nil
	}
	return r.Conn.Write(p)
}

// proxyConn starts the connection protocol on c.
func proxyConn(c net.Conn) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	r, err := newReplayConn(c)
	if err != nil {
		return nil, nil, nil, err
	}
	return ssh.NewControlClientConn(r)
}
