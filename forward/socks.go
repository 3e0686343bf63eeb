package forward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
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

// Numbers of RFC 1928 and of the SOCKS 4 notes.
const (
	cmdConnect = 1

	addrIPv4 = 1
	addrName = 3
	addrIPv6 = 4

	methodNone       = 0x00
	methodUnsuitable = 0xff

	replySucceeded       = 0
	replyFailure         = 1
	replyNotAllowed      = 2
	replyNetUnreachable  = 3
	replyHostUnreachable = 4
	replyRefused         = 5
	replyBadCommand      = 7
	replyBadAddress      = 8

	reply4Granted  = 90
	reply4Rejected = 91
)

// Limits on what has no length of its own in SOCKS 4, and with them the longest
// request of all.
const (
	maxUserID = 255
	maxName   = 255
	maxSOCKS  = 8 + maxUserID + 1 + maxName + 1
)

// socksError is a request that cannot be served.
type socksError struct {
	reason string
	answer []byte // what to tell the client first; nil if it is not speaking SOCKS
}

func (e *socksError) Error() string { return "forward: SOCKS: " + e.reason }

// socksGreeted is the result of parseSOCKS for a greeting of SOCKS 5 that wants
// its answer before the request.
var socksGreeted = new(socksRequest)

// parseSOCKS reads the next message from what the client has sent so far. It
// returns a nil request, and no error, if there is not enough of it, and
// otherwise how much of b it took.
func parseSOCKS(b []byte, greeted bool) (r *socksRequest, n int, err error) {
	switch {
	case len(b) == 0:
		return nil, 0, nil
	case b[0] == 4 && !greeted:
		return parseSOCKS4(b)
	case b[0] == 5 && !greeted:
		return parseGreeting(b)
	case b[0] == 5:
		return parseSOCKS5(b)
	}
	return nil, 0, &socksError{reason: fmt.Sprintf("version %d", b[0])}
}

// parseSOCKS4 reads VN CD DSTPORT DSTIP USERID NUL, and for 4A, whose address
// is 0.0.0.x, a name and another NUL.
func parseSOCKS4(b []byte) (*socksRequest, int, error) {
	if len(b) < 8 {
		return nil, 0, nil
	}
	rejected := socksReply(4, replyFailure)
	if b[1] != cmdConnect {
		return nil, 0, &socksError{fmt.Sprintf("command %d", b[1]), rejected}
	}
	user, ok := cString(b[8:], maxUserID)
	if !ok {
		return nil, 0, &socksError{"user id too long", rejected}
	}
	if user < 0 {
		return nil, 0, nil
	}
	n := 8 + user + 1
	r := &socksRequest{version: 4, target: Addr{Port: int(binary.BigEndian.Uint16(b[2:]))}}
	ip := [4]byte(b[4:8])
	if ip[0] != 0 || ip[1] != 0 || ip[2] != 0 || ip[3] == 0 {
		r.target.Host = netip.AddrFrom4(ip).String()
		return r.checked(n, rejected)
	}
	name, ok := cString(b[n:], maxName)
	if !ok {
		return nil, 0, &socksError{"name too long", rejected}
	}
	if name < 0 {
		return nil, 0, nil
	}
	r.target.Host = string(b[n : n+name])
	return r.checked(n+name+1, rejected)
}

// cString returns the length of a string that a NUL ends: -1 if it is not there
// yet, and not ok if it is longer than limit.
func cString(b []byte, limit int) (n int, ok bool) {
	n = bytes.IndexByte(b[:min(len(b), limit+1)], 0)
	return n, n >= 0 || len(b) <= limit
}

// parseGreeting reads VER NMETHODS METHODS of RFC 1928 section 3.
func parseGreeting(b []byte) (*socksRequest, int, error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return nil, 0, nil
	}
	n := 2 + int(b[1])
	if bytes.IndexByte(b[2:n], methodNone) < 0 {
		return nil, 0, &socksError{"no acceptable authentication method", []byte{5, methodUnsuitable}}
	}
	return socksGreeted, n, nil
}

// parseSOCKS5 reads VER CMD RSV ATYP DST.ADDR DST.PORT of RFC 1928 section 4.
func parseSOCKS5(b []byte) (*socksRequest, int, error) {
	if len(b) < 5 { // up to the length of a name
		return nil, 0, nil
	}
	if b[1] != cmdConnect {
		return nil, 0, &socksError{fmt.Sprintf("command %d", b[1]), socksReply(5, replyBadCommand)}
	}
	at, size := 4, 0
	switch b[3] {
	case addrIPv4:
		size = 4
	case addrIPv6:
		size = 16
	case addrName:
		at, size = 5, int(b[4])
	default:
		return nil, 0, &socksError{fmt.Sprintf("address type %d", b[3]), socksReply(5, replyBadAddress)}
	}
	if len(b) < at+size+2 {
		return nil, 0, nil
	}
	addr := b[at : at+size]
	r := &socksRequest{version: 5, target: Addr{Port: int(binary.BigEndian.Uint16(b[at+size:]))}}
	if b[3] == addrName {
		r.target.Host = string(addr)
	} else {
		ip, _ := netip.AddrFromSlice(addr) // 4 or 16 bytes
		r.target.Host = ip.String()
	}
	return r.checked(at+size+2, socksReply(5, replyFailure))
}

// checked refuses what can be no target.
func (r *socksRequest) checked(n int, refusal []byte) (*socksRequest, int, error) {
	switch {
	case r.target.Host == "" || strings.ContainsRune(r.target.Host, 0):
		return nil, 0, &socksError{"bad name", refusal}
	case r.target.Port == 0:
		return nil, 0, &socksError{"port 0", refusal}
	}
	return r, n, nil
}

// socksReply builds the answer to a request. The address in it, by which the
// client was meant to learn the outgoing one, is zero, as OpenSSH's is.
func socksReply(version, code byte) []byte {
	if version == 4 {
		out := []byte{0, reply4Granted, 0, 0, 0, 0, 0, 0}
		if code != replySucceeded {
			out[1] = reply4Rejected
		}
		return out
	}
	return []byte{5, code, 0, addrIPv4, 0, 0, 0, 0, 0, 0}
}

// connectReply reads the reason of a failed connect from the server's words.
func connectReply(words string) byte {
	words = strings.ToLower(words)
	switch {
	case strings.Contains(words, "refused"):
		return replyRefused
	case strings.Contains(words, "network is unreachable"):
		return replyNetUnreachable
	}
	return replyHostUnreachable
}
