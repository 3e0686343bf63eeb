package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"

	"github.com/gossh-project/gossh/internal/rawssh"
)

// limitedConn closes a connection after a number of bytes.
type limitedConn struct {
	net.Conn
	toSend, toReceive atomic.Int64
}

func limitConn(nc net.Conn, f Faults) net.Conn {
	if f.DropAfterSent <= 0 && f.DropAfterReceived <= 0 {
		return nc
	}
	const never = 1 << 62
	l := &limitedConn{Conn: nc}
	l.toSend.Store(never)
	l.toReceive.Store(never)
	if f.DropAfterSent > 0 {
		l.toSend.Store(f.DropAfterSent)
	}
	if f.DropAfterReceived > 0 {
		l.toReceive.Store(f.DropAfterReceived)
	}
	return l
}

func (l *limitedConn) Write(p []byte) (int, error) {
	left := l.toSend.Add(-int64(len(p)))
	if left > 0 {
		return l.Conn.Write(p)
	}
	n := max(left+int64(len(p)), 0)
	l.Conn.Write(p[:n])
	l.Conn.Close()
	return int(n), errFault
}

func (l *limitedConn) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.toReceive.Add(-int64(n)) <= 0 {
		l.Conn.Close()
		return 0, errFault
	}
	return n, err
}

// errFault is the reason for the end of a connection that Faults ended.
var errFault = errors.New("sshtest: ended by Faults")

// sendDisconnect serves a connection up to the stage of Faults.Disconnect and
// disconnects. It works at packet level, since x/crypto cannot send this
// message.
func (c *Conn) sendDisconnect() error {
	o := &c.srv.opts
	at, key := o.Faults.Disconnect.At, c.srv.hostKeys[0]
	if at == StageVersion {
		rc, err := rawssh.Greet(c.nc, key, o.Version)
		if err != nil {
			return err
		}
		return c.disconnect(rc)
	}
	rc, err := rawssh.Accept(c.nc, key, o.Version)
	if err != nil {
		return err
	}
	if at == StageAuth {
		if err := rc.AcceptService(); err != nil {
			return err
		}
		return c.disconnect(rc)
	}
	if _, err := rc.Authenticate(); err != nil {
		return err
	}
	return c.disconnect(rc)
}

// disconnect sends Faults.Disconnect and then reads until the client has closed:
// if data was unread when the socket is closed, the kernel might drop the
// message.
func (c *Conn) disconnect(rc *rawssh.Conn) error {
	d := c.srv.opts.Faults.Disconnect
	if err := rc.Disconnect(d.Reason, d.Message); err != nil {
		return err
	}
	if hc, ok := c.nc.(interface{ CloseWrite() error }); ok {
		hc.CloseWrite()
	}
	io.Copy(io.Discard, c.nc)
	return errFault
}

// reach is called at each stage and does what Faults asks for there.
func (c *Conn) reach(stage Stage) error {
	f := c.srv.opts.Faults
	switch stage {
	case f.CloseAt:
		c.cancel(errFault)
		c.nc.Close() // cancel closes it a little later
		return errFault
	case f.StallAt:
		<-c.ctx.Done()
		return context.Cause(c.ctx)
	}
	return nil
}

// Faults are failures of connections. The zero value has none.
type Faults struct {
	// StallAt stops the server at a stage and leaves the connection open.
	// CloseAt closes the connection at a stage.
	StallAt Stage
	CloseAt Stage

	// DropAfterSent and DropAfterReceived close the connection after that many
	// bytes, which include identification strings and key exchange.
	DropAfterSent     int64
	DropAfterReceived int64

	// Disconnect, if its At is StageVersion, StageAuth or StageSession, sends
	// SSH_MSG_DISCONNECT at that stage and closes. Any user is let in.
	Disconnect Disconnect
}

// Disconnect is SSH_MSG_DISCONNECT (RFC 4253, section 11.1).
type Disconnect struct {
	At      Stage
	Reason  uint32 // such as 2 (protocol error) or 12 (too many connections)
	Message string
}

// Stage is a stage of a connection.
type Stage int

// The stages of a connection, in order.
const (
	StageNone    Stage = iota
	StageAccept        // TCP accepted, no version sent
	StageVersion       // version sent, no key exchange begun
	StageKex           // client's key exchange message read, no reply sent
	StageAuth          // user authentication begun, first request not answered
	StageSession       // authenticated, nothing answered any more
)
