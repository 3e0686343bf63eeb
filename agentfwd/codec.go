package agentfwd

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxMessage bounds a message in either direction, its length field left out.
// It is ssh-agent's own limit (AGENT_MAX_LEN).
const MaxMessage = 256 << 10

// Message numbers (draft-miller-ssh-agent, section 6.1).
const (
	msgFailure            = 5
	msgSuccess            = 6
	msgRequestIdentities  = 11
	msgIdentitiesAnswer   = 12
	msgSignRequest        = 13
	msgSignResponse       = 14
	msgAddIdentity        = 17
	msgRemoveIdentity     = 18
	msgRemoveAll          = 19
	msgAddSmartcard       = 20
	msgRemoveSmartcard    = 21
	msgLock               = 22
	msgUnlock             = 23
	msgAddConstrained     = 25
	msgAddSmartcardConstr = 26
	msgExtension          = 27
	msgExtensionFailure   = 28
)

// Flags of a signature request (section 6.3).
const (
	flagRSASHA256 = 2
	flagRSASHA512 = 4
)

// extSessionBind is the extension of PROTOCOL.agent, section 1.
const extSessionBind = "session-bind@openssh.com"

// readChunk is what is set aside for a message before its bytes are here: a
// length field alone must not cost a peer's victim 256 KiB.
const readChunk = 8 << 10

// readMessage reads one message: uint32 length, then the body, whose first
// byte is the type. An end of the stream between two messages is io.EOF.
func readMessage(r io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(header[:]))
	switch {
	case n == 0:
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	case n > MaxMessage:
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, n)
	}
	msg := make([]byte, 0, min(int(n), readChunk))
	for len(msg) < int(n) {
		have := len(msg)
		piece := min(int(n)-have, max(readChunk, have))
		msg = slices.Grow(msg, piece)[:have+piece]
		if _, err := io.ReadFull(r, msg[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return msg, nil
}

// writeMessage writes one message with its length, in one Write.
func writeMessage(w io.Writer, msg []byte) error {
	if len(msg) > MaxMessage {
		return fmt.Errorf("%w: %d bytes", ErrTooLong, len(msg))
	}
	framed := make([]byte, 0, 4+len(msg))
	framed = binary.BigEndian.AppendUint32(framed, uint32(len(msg)))
	_, err := w.Write(append(framed, msg...))
	return err
}

// appendString appends an SSH string (RFC 4251, section 5).
func appendString[T ~[]byte | ~string](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// appendBool appends an SSH boolean.
func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// A fields value takes a message apart from its front. After a field that is
// not wholly there, it is bad and gives zero values.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) uint8() byte {
	if f.bad || len(f.rest) < 1 {
		f.bad = true
		return 0
	}
	v := f.rest[0]
	f.rest = f.rest[1:]
	return v
}

func (f *fields) uint32() uint32 {
	if f.bad || len(f.rest) < 4 {
		f.bad = true
		return 0
	}
	v := binary.BigEndian.Uint32(f.rest)
	f.rest = f.rest[4:]
	return v
}

// bytes returns an SSH string, which shares the message's memory.
func (f *fields) bytes() []byte {
	n := f.uint32()
	if f.bad || uint64(n) > uint64(len(f.rest)) {
		f.bad = true
		return nil
	}
	v := f.rest[:n:n]
	f.rest = f.rest[n:]
	return v
}

func (f *fields) string() string { return string(f.bytes()) }

// end says whether the message was whole and holds nothing more.
func (f *fields) end() bool { return !f.bad && len(f.rest) == 0 }

// parseIdentities reads SSH_AGENT_IDENTITIES_ANSWER (section 3.5).
func parseIdentities(msg []byte) ([]Identity, error) {
	f := fields{rest: msg}
	if f.uint8() != msgIdentitiesAnswer {
		return nil, fmt.Errorf("%w: not a list of identities", ErrMalformed)
	}
	n := f.uint32()
	// Each entry takes 8 bytes at least, so what is here bounds the count.
	if f.bad || uint64(n) > uint64(len(f.rest)/8) {
		return nil, fmt.Errorf("%w: list of %d identities", ErrMalformed, n)
	}
	ids := make([]Identity, 0, n)
	for range n {
		blob, comment := f.bytes(), f.string()
		ids = append(ids, newIdentity(blob, comment))
	}
	if !f.end() {
		return nil, fmt.Errorf("%w: list of %d identities", ErrMalformed, n)
	}
	return ids, nil
}

// marshalIdentities makes the answer that parseIdentities reads.
func marshalIdentities(ids []Identity) []byte {
	msg := []byte{msgIdentitiesAnswer}
	msg = binary.BigEndian.AppendUint32(msg, uint32(len(ids)))
	for _, id := range ids {
		msg = appendString(msg, id.Blob)
		msg = appendString(msg, id.Comment)
	}
	return msg
}

// signRequest is SSH_AGENTC_SIGN_REQUEST (section 3.6).
type signRequest struct {
	KeyBlob []byte
	Data    []byte
	Flags   uint32
}

func (r signRequest) marshal() []byte {
	msg := make([]byte, 0, 1+4+len(r.KeyBlob)+4+len(r.Data)+4)
	msg = append(msg, msgSignRequest)
	msg = appendString(msg, r.KeyBlob)
	msg = appendString(msg, r.Data)
	return binary.BigEndian.AppendUint32(msg, r.Flags)
}

func parseSignRequest(msg []byte) (signRequest, error) {
	f := fields{rest: msg}
	kind := f.uint8()
	r := signRequest{KeyBlob: f.bytes(), Data: f.bytes(), Flags: f.uint32()}
	if kind != msgSignRequest || !f.end() {
		return signRequest{}, fmt.Errorf("%w: signature request", ErrMalformed)
	}
	return r, nil
}

// sessionBind is the extension request session-bind@openssh.com.
type sessionBind struct {
	HostKey    []byte
	SessionID  []byte
	Signature  []byte
	Forwarding bool
}

func (b sessionBind) marshal() []byte {
	msg := appendString([]byte{msgExtension}, extSessionBind)
	msg = appendString(msg, b.HostKey)
	msg = appendString(msg, b.SessionID)
	msg = appendString(msg, b.Signature)
	return appendBool(msg, b.Forwarding)
}

func parseSessionBind(msg []byte) (sessionBind, error) {
	f := fields{rest: msg}
	kind, name := f.uint8(), f.string()
	b := sessionBind{HostKey: f.bytes(), SessionID: f.bytes(), Signature: f.bytes(), Forwarding: f.uint8() != 0}
	if kind != msgExtension || name != extSessionBind || !f.end() {
		return sessionBind{}, fmt.Errorf("%w: %s", ErrMalformed, extSessionBind)
	}
	return b, nil
}

// extensionName returns the name of an extension request, without the NUL that
// ssh-agent overlooks at its end: what we compare must be what it compares.
func extensionName(msg []byte) (string, error) {
	f := fields{rest: msg}
	kind, name := f.uint8(), f.string()
	if f.bad || kind != msgExtension {
		return "", fmt.Errorf("%w: extension request", ErrMalformed)
	}
	return strings.TrimSuffix(name, "\x00"), nil
}
