package mux

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
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
	live := &packetReader{r: bufio.NewReaderSize(c, 64<<10)}
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

// packetReader checks the packets of the connection protocol, which are
// "uint32 length, byte 0, payload", before x/crypto sees them: it takes the
// first byte of a payload without looking whether there is one
// ((*mux).onePacket), and dies of a packet without.
type packetReader struct {
	r    *bufio.Reader
	left uint32 // of the packet being read, its length field included
}

const (
	packetHeader = 4       // the length field
	leastPacket  = 2       // byte 0 and the type of a message
	mostPacket   = 1 << 18 // as x/crypto has it (maxPacket, common.go)
)

func (p *packetReader) Read(b []byte) (int, error) {
	if p.left == 0 {
		head, err := p.r.Peek(packetHeader)
		if err != nil {
			if len(head) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		length := binary.BigEndian.Uint32(head)
		if length < leastPacket || length > mostPacket {
			return 0, &ProtocolError{fmt.Sprintf("packet of %d bytes", length)}
		}
		p.left = packetHeader + length
	}
	n, err := p.r.Read(b[:min(len(b), int(p.left))])
	p.left -= uint32(n)
	return n, err
}
