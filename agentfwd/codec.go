package agentfwd

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gossh-project/gossh/internal/wire"
)

// MaxMessage is the maximum length of a message in either direction, without its
// length field. It is ssh-agent's limit (AGENT_MAX_LEN).
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

// parseIdentities reads SSH_AGENT_IDENTITIES_ANSWER (section 3.5).
func parseIdentities(msg []byte) ([]Identity, error) {
	f := wire.NewReader(msg)
	if f.Byte() != msgIdentitiesAnswer {
		return nil, fmt.Errorf("%w: not a list of identities", ErrMalformed)
	}
	n := f.Uint32()
	// Each entry takes 8 bytes at least, so what is here bounds the count.
	if f.Err() != nil || uint64(n) > uint64(len(f.Rest())/8) {
		return nil, fmt.Errorf("%w: list of %d identities", ErrMalformed, n)
	}
	ids := make([]Identity, 0, n)
	for range n {
		blob, comment := f.Bytes(), f.Text()
		ids = append(ids, newIdentity(blob, comment))
	}
	if f.End() != nil {
		return nil, fmt.Errorf("%w: list of %d identities", ErrMalformed, n)
	}
	return ids, nil
}

// marshalIdentities makes the answer that parseIdentities reads.
func marshalIdentities(ids []Identity) []byte {
	msg := []byte{msgIdentitiesAnswer}
	msg = binary.BigEndian.AppendUint32(msg, uint32(len(ids)))
	for _, id := range ids {
		msg = wire.AppendString(msg, id.Blob)
		msg = wire.AppendString(msg, id.Comment)
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
	msg = wire.AppendString(msg, r.KeyBlob)
	msg = wire.AppendString(msg, r.Data)
	return binary.BigEndian.AppendUint32(msg, r.Flags)
}

func parseSignRequest(msg []byte) (signRequest, error) {
	f := wire.NewReader(msg)
	kind := f.Byte()
	r := signRequest{KeyBlob: f.Bytes(), Data: f.Bytes(), Flags: f.Uint32()}
	if kind != msgSignRequest || f.End() != nil {
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
	msg := wire.AppendString([]byte{msgExtension}, extSessionBind)
	msg = wire.AppendString(msg, b.HostKey)
	msg = wire.AppendString(msg, b.SessionID)
	msg = wire.AppendString(msg, b.Signature)
	return wire.AppendBool(msg, b.Forwarding)
}

func parseSessionBind(msg []byte) (sessionBind, error) {
	f := wire.NewReader(msg)
	kind, name := f.Byte(), f.Text()
	b := sessionBind{HostKey: f.Bytes(), SessionID: f.Bytes(), Signature: f.Bytes(), Forwarding: f.Byte() != 0}
	if kind != msgExtension || name != extSessionBind || f.End() != nil {
		return sessionBind{}, fmt.Errorf("%w: %s", ErrMalformed, extSessionBind)
	}
	return b, nil
}

// extensionName returns the name of an extension request, without the NUL that
// ssh-agent overlooks at its end: what we compare must be what it compares.
func extensionName(msg []byte) (string, error) {
	f := wire.NewReader(msg)
	kind, name := f.Byte(), f.Text()
	if f.Err() != nil || kind != msgExtension {
		return "", fmt.Errorf("%w: extension request", ErrMalformed)
	}
	return strings.TrimSuffix(name, "\x00"), nil
}
