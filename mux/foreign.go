package mux

import (
	"errors"
	"io"

	"golang.org/x/crypto/ssh"
)

// foreignConn is a connection in proxy mode through a master that is not ours.
// OpenSSH's hangs up at every global request but tcpip-forward, whose answer it
// keeps to itself (channel_proxy_downstream of its channels.c). So none is
// sent: the answer to each is the failure that RFC 4254, section 4, has for a
// request that is not known.
type foreignConn struct {
	ssh.Conn
	ended chan struct{} // closed when Wait has returned
}

func newForeignConn(c ssh.Conn) *foreignConn {
	f := &foreignConn{c, make(chan struct{})}
	go f.await()
	return f
}

// await ends with the connection.
func (c *foreignConn) await() {
	c.Conn.Wait()
	close(c.ended)
}

// lifeSign is a type of channel that no server has.
const lifeSign = "alive@gossh-project.github.io"

// SendRequest sends nothing. A reply is what keepalives are after, so it comes
// when the server has given one: it refuses to open a channel.
func (c *foreignConn) SendRequest(_ string, wantReply bool, _ []byte) (bool, []byte, error) {
	if !wantReply {
		return false, nil, nil
	}
	answer := make(chan error, 1)
	go c.probe(answer)
	select {
	case err := <-answer:
		return false, nil, err
	case <-c.ended:
		return false, nil, io.EOF
	}
}

// probe ends with the server's answer, or with the connection.
func (c *foreignConn) probe(answer chan<- error) {
	ch, requests, err := c.OpenChannel(lifeSign, nil)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		go ssh.DiscardRequests(requests)
		ch.Close()
	case errors.As(err, &refused):
		err = nil
	}
	answer <- err
}
