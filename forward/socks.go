package forward

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// handshakeTime is how long a SOCKS client may take to say what it wants.
const handshakeTime = time.Minute

// socksRequest is what a SOCKS client wants.
type socksRequest struct {
	version byte // 4 or 5
	target  Addr
	early   []byte // sent after the request without waiting for the reply
}

// negotiateConn reads the request of a client that connected here.
func negotiateConn(c net.Conn) (*socksRequest, error) {
	c.SetDeadline(time.Now().Add(handshakeTime))
	r, err := negotiate(c)
	c.SetDeadline(time.Time{})
	return r, err
}

// negotiateStream reads the request of a client that connected on the server. A
// channel has no deadlines, so it is closed when the time is up.
func negotiateStream(s *stream) (*socksRequest, error) {
	limit := time.AfterFunc(handshakeTime, func() { s.Close() })
	r, err := negotiate(s)
	if !limit.Stop() && err == nil {
		err = errors.New("forward: SOCKS client took too long")
	}
	return r, err
}

// negotiate reads a request of SOCKS 4, 4A or 5. A client that asks for what
// there is not is told so, and the error returned; the answer to a request
// that was understood is the caller's, by reply.
func negotiate(rw io.ReadWriter) (*socksRequest, error) {
	var buf []byte
	greeted := false
	for {
		step, n, err := parseSOCKS(buf, greeted)
		buf = buf[n:]
		switch {
		case err != nil:
			var bad *socksError
			if errors.As(err, &bad) && bad.answer != nil {
				rw.Write(bad.answer)
			}
			return nil, err
		case step == socksGreeted:
			greeted = true
			if _, err := rw.Write([]byte{5, methodNone}); err != nil {
				return nil, err
			}
			continue
		case step != nil:
			step.early = append([]byte(nil), buf...)
			return step, nil
		}
		if buf, err = readMore(rw, buf); err != nil {
			return nil, err
		}
	}
}

// readMore appends what one Read gives. The parser never asks for more than
// maxSOCKS bytes, so the buffer stays that small.
func readMore(r io.Reader, buf []byte) ([]byte, error) {
	var chunk [maxSOCKS]byte
	n, err := r.Read(chunk[:])
	buf = append(buf, chunk[:n]...)
	if n > 0 {
		return buf, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return buf, err
}

// reply tells the client how the connecting went: nil is success.
func (r *socksRequest) reply(w io.Writer, err error) error {
	_, werr := w.Write(socksReply(r.version, replyCode(err)))
	return werr
}

// replyCode finds the answer of RFC 1928 section 6 for an error. A server of
// SSH has but four reasons, and most failures are one of them, "connect
// failed"; OpenSSH and others add the system's words, which tell them apart.
func replyCode(err error) byte {
	var refused *OpenError
	switch {
	case err == nil:
		return replySucceeded
	case errors.As(err, &refused):
		switch refused.Reason {
		case ssh.Prohibited:
			return replyNotAllowed
		case ssh.ConnectionFailed:
			return connectReply(refused.Message)
		}
		return replyFailure
	case errors.Is(err, ErrConnectionLost), errors.Is(err, ErrClosed):
		return replyFailure
	case errors.Is(err, syscall.ECONNREFUSED):
		return replyRefused
	case errors.Is(err, syscall.ENETUNREACH):
		return replyNetUnreachable
	}
	return replyHostUnreachable // no such name, no route, no answer
}
