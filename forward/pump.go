package forward

import (
	"context"
	"io"
	"sync/atomic"
)

// bufSize is one channel packet: what x/crypto and OpenSSH send at most.
const bufSize = 32 << 10

// localConn is the side of a pump that is not the channel: a TCP or Unix-domain
// connection. A CloseWrite and a SetLinger method are used if it has them.
type localConn interface {
	io.ReadWriteCloser
}

// pump moves bytes between a local connection and a channel until both
// directions have ended.
//
// How an end on one side appears on the other:
//
//	local end of data (FIN)     → EOF on the channel; the other direction goes on
//	local failure (RST)         → the channel is closed
//	channel EOF                 → CloseWrite on the local connection; the other direction goes on
//	channel closed by server    → what was received is delivered, then the local connection is closed
//	SSH connection lost         → what was received is delivered, then the local connection is reset,
//	                              lest half a stream be taken for a whole one
//	forwarding closed           → both at once
//
// A close without EOF is no reset to the local side, as it is none in OpenSSH:
// there are servers that end every connection so.
type pump struct {
	local  localConn
	remote *stream
	link   *link

	// What was read before the pump started, for each direction.
	fromLocal, fromRemote []byte

	sent chan struct{} // closed when send has ended
}

// run pumps until the connection is over in both directions and the server has
// closed the channel. It resets the connection when cut ends.
func (p *pump) run(cut context.Context) {
	p.link.open.Store(true)
	p.sent = make(chan struct{})
	stop := context.AfterFunc(cut, p.abort)
	defer stop()
	go p.send()
	p.receive()
	select {
	case <-p.sent:
	case <-p.remote.gone: // nobody hears what send would send
	}
	p.local.Close()
	p.remote.Close()
	<-p.sent
	<-p.remote.gone
}

// send moves local bytes into the channel. It ends with the local connection,
// which run closes, or when the channel takes no more.
func (p *pump) send() {
	defer close(p.sent)
	failedRead, failedWrite := p.remote.forwarder.copyStream(p.remote, p.local, p.fromLocal, &p.link.out)
	switch {
	case failedRead != nil:
		p.abort()
	case failedWrite == nil:
		p.remote.CloseWrite()
	}
}

// receive moves bytes of the channel into the local connection.
func (p *pump) receive() {
	failedRead, failedWrite := p.remote.forwarder.copyStream(p.local, p.remote, p.fromRemote, &p.link.in)
	if failedRead != nil || failedWrite != nil {
		p.abort()
		return
	}
	closeWrite(p.local)
}

// abort ends both sides without ceremony. The local side goes first, because
// closing the channel writes to an SSH connection that may be stuck.
func (p *pump) abort() {
	reset(p.local)
	p.remote.Close()
}

// copyStream copies early and then src to dst, and counts, until the end of src,
// when both results are nil, or until one of the two fails.
func (f *Forwarder) copyStream(dst io.Writer, src io.Reader, early []byte, count *atomic.Int64) (failedRead, failedWrite error) {
	if len(early) > 0 {
		n, err := dst.Write(early)
		count.Add(int64(n))
		if err != nil {
			return nil, err
		}
	}
	buf := f.bufs.Get().(*[bufSize]byte)
	defer f.bufs.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			w, werr := dst.Write(buf[:n])
			count.Add(int64(w))
			if werr != nil {
				return nil, werr
			}
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// closeWrite passes the end of data on to a local connection; one that cannot
// be closed by halves is closed.
func closeWrite(c localConn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		h.CloseWrite()
		return
	}
	c.Close()
}

// reset closes a local connection so that its peer sees a failure, where the
// kind of connection knows one.
func reset(c localConn) {
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		l.SetLinger(0)
	}
	c.Close()
}
