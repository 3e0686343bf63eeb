package mux

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/gossh-project/gossh/session"

	"github.com/gossh-project/gossh/internal/wire"
)

// version is that of the protocol (PROTOCOL.mux, section 1).
const version = 4

// maxMessage is the longest message that OpenSSH reads, without its length.
const maxMessage = 256 << 10

// msgType is the number of a message (PROTOCOL.mux, section 11).
type msgType uint32

const (
	msgHello msgType = 0x00000001

	msgNewSession    msgType = 0x10000002
	msgAliveCheck    msgType = 0x10000004
	msgTerminate     msgType = 0x10000005
	msgOpenForward   msgType = 0x10000006
	msgCloseForward  msgType = 0x10000007
	msgStdioForward  msgType = 0x10000008
	msgStopListening msgType = 0x10000009
	msgProxy         msgType = 0x1000000f
	msgInfo          msgType = 0x20000001 // since OpenSSH 10

	msgOK               msgType = 0x80000001
	msgPermissionDenied msgType = 0x80000002
	msgFailure          msgType = 0x80000003
	msgExit             msgType = 0x80000004
	msgAlive            msgType = 0x80000005
	msgSessionOpened    msgType = 0x80000006
	msgRemotePort       msgType = 0x80000007
	msgTTYAllocFail     msgType = 0x80000008
	msgProxyReply       msgType = 0x8000000f
	msgInfoReply        msgType = 0x90000001
)

// portSocket in place of a port says that the host is the path of a socket.
const portSocket = 0xfffffffe

// noEscape is the escape character that is none.
const noEscape = 0xffffffff

// message is anything that goes over the control socket.
type message interface {
	// appendTo appends type and body, without the length.
	appendTo(b []byte) []byte
}

// helloMessage opens the conversation, in both directions.
type helloMessage struct {
	version    uint32
	extensions []extension
}

type extension struct{ name, value string }

// sessionMessage is NEW_SESSION. Three descriptors follow it.
type sessionMessage struct {
	id  uint32
	req SessionRequest
}

// plainRequest is a request without a body: ALIVE_CHECK, TERMINATE,
// STOP_LISTENING, PROXY, or one that we do not know.
type plainRequest struct {
	kind msgType
	id   uint32
}

// forwardMessage is OPEN_FWD or CLOSE_FWD.
type forwardMessage struct {
	kind        msgType
	id          uint32
	direction   uint32 // as forward.Kind
	listenHost  string
	listenPort  uint32
	connectHost string
	connectPort uint32
}

// stdioMessage is NEW_STDIO_FWD. Two descriptors follow it.
type stdioMessage struct {
	id   uint32
	host string
	port uint32
}

// infoMessage asks for a text by its name.
type infoMessage struct {
	id   uint32
	name string
}

// plainReply is a reply, or a report about a session, of up to two numbers:
// the request's id or the session's, and what kind says.
type plainReply struct {
	kind  msgType
	id    uint32
	value uint32 // not in OK, TTY_ALLOC_FAIL and PROXY
}

// refusalMessage is PERMISSION_DENIED or FAILURE.
type refusalMessage struct {
	kind   msgType
	id     uint32
	reason string
}

type infoReplyMessage struct {
	id, status uint32
	text       string
}

func (t msgType) appendTo(b []byte) []byte { return wire.AppendUint32(b, uint32(t)) }

func appendBool(b []byte, v bool) []byte {
	var n uint32
	if v {
		n = 1
	}
	return wire.AppendUint32(b, n)
}

func (m *helloMessage) appendTo(b []byte) []byte {
	b = wire.AppendUint32(msgHello.appendTo(b), m.version)
	for _, e := range m.extensions {
		b = wire.AppendString(wire.AppendString(b, e.name), e.value)
	}
	return b
}

func (m *sessionMessage) appendTo(b []byte) []byte {
	b = wire.AppendUint32(msgNewSession.appendTo(b), m.id)
	b = wire.AppendString(b, "") // reserved
	b = appendBool(b, m.req.TTY)
	b = appendBool(b, m.req.X11)
	b = appendBool(b, m.req.Agent)
	b = appendBool(b, m.req.Subsystem)
	escape := uint32(noEscape)
	if m.req.EscapeChar > 0 {
		escape = uint32(m.req.EscapeChar)
	}
	b = wire.AppendUint32(b, escape)
	b = wire.AppendString(wire.AppendString(b, m.req.Term), m.req.Command)
	for _, v := range m.req.Env {
		b = wire.AppendString(b, v.Name+"="+v.Value)
	}
	return b
}

func (m *plainRequest) appendTo(b []byte) []byte {
	return wire.AppendUint32(m.kind.appendTo(b), m.id)
}

func (m *forwardMessage) appendTo(b []byte) []byte {
	b = wire.AppendUint32(m.kind.appendTo(b), m.id)
	b = wire.AppendUint32(b, m.direction)
	b = wire.AppendUint32(wire.AppendString(b, m.listenHost), m.listenPort)
	return wire.AppendUint32(wire.AppendString(b, m.connectHost), m.connectPort)
}

func (m *stdioMessage) appendTo(b []byte) []byte {
	b = wire.AppendUint32(msgStdioForward.appendTo(b), m.id)
	b = wire.AppendString(wire.AppendString(b, ""), m.host) // the first is reserved
	return wire.AppendUint32(b, m.port)
}

func (m *infoMessage) appendTo(b []byte) []byte {
	return wire.AppendString(wire.AppendUint32(msgInfo.appendTo(b), m.id), m.name)
}

func (m *plainReply) appendTo(b []byte) []byte {
	b = wire.AppendUint32(m.kind.appendTo(b), m.id)
	if m.kind.hasValue() {
		b = wire.AppendUint32(b, m.value)
	}
	return b
}

// hasValue tells the plain replies apart.
func (t msgType) hasValue() bool {
	return t == msgExit || t == msgAlive || t == msgSessionOpened || t == msgRemotePort
}

func (m *refusalMessage) appendTo(b []byte) []byte {
	return wire.AppendString(wire.AppendUint32(m.kind.appendTo(b), m.id), m.reason)
}

func (m *infoReplyMessage) appendTo(b []byte) []byte {
	b = wire.AppendUint32(msgInfoReply.appendTo(b), m.id)
	return wire.AppendString(wire.AppendUint32(b, m.status), m.text)
}

// frame gives a message its length.
func frame(m message) ([]byte, error) {
	b := m.appendTo(make([]byte, 4, 64))
	if len(b)-4 > maxMessage {
		return nil, &ProtocolError{fmt.Sprintf("a message of %d bytes, at most %d may be sent", len(b)-4, maxMessage)}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b, nil
}

// readFrame reads one message, type and body, and not a byte more: descriptors
// come with the byte that follows. At a clean end it returns io.EOF.
//
// onHeader, if not nil, is called between length and body.
func readFrame(r io.Reader, onHeader func()) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	if n < 4 || n > maxMessage {
		return nil, &ProtocolError{fmt.Sprintf("a message of %d bytes", n)}
	}
	if onHeader != nil {
		onHeader()
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// parser reads the fields of a message.
type parser struct{ *wire.Reader }

// string reads a string without NUL, since OpenSSH keeps it in one of C.
func (p parser) string() string {
	s := p.Text()
	if strings.IndexByte(s, 0) >= 0 {
		p.Fail()
		return ""
	}
	return s
}

// finish returns the message, or the error. Bytes that follow are what a later
// version has added; OpenSSH does not look at them either.
func (p parser) finish(kind msgType, m message) (message, error) {
	if p.Err() != nil {
		return nil, &ProtocolError{fmt.Sprintf("malformed message 0x%08x", uint32(kind))}
	}
	return m, nil
}

// parseHello reads the first message of the other side.
func parseHello(b []byte) (*helloMessage, error) {
	p := parser{wire.NewReader(b)}
	if kind := msgType(p.Uint32()); kind != msgHello {
		return nil, &ProtocolError{fmt.Sprintf("expected HELLO, received 0x%08x", uint32(kind))}
	}
	m := &helloMessage{version: p.Uint32()}
	if p.Err() == nil && m.version != version {
		return nil, &VersionError{m.version}
	}
	for p.More() {
		m.extensions = append(m.extensions, extension{p.string(), p.Text()})
	}
	if _, err := p.finish(msgHello, m); err != nil {
		return nil, err
	}
	return m, nil
}

// has tells whether an extension was announced.
func (m *helloMessage) has(name string) bool {
	for _, e := range m.extensions {
		if e.name == name {
			return true
		}
	}
	return false
}

// parseRequest reads what a client sends after its HELLO. A type that is not
// known is a plainRequest.
func parseRequest(b []byte) (message, error) {
	p := parser{wire.NewReader(b)}
	kind, id := msgType(p.Uint32()), p.Uint32()
	switch kind {
	case msgHello:
		return nil, &ProtocolError{"HELLO received twice"}
	case msgNewSession:
		return p.finish(kind, p.session(id))
	case msgOpenForward, msgCloseForward:
		m := &forwardMessage{kind: kind, id: id, direction: p.Uint32()}
		m.listenHost, m.listenPort = p.string(), p.port()
		m.connectHost, m.connectPort = p.string(), p.port()
		return p.finish(kind, m)
	case msgStdioForward:
		p.Text() // reserved
		return p.finish(kind, &stdioMessage{id, p.string(), p.port()})
	case msgInfo:
		return p.finish(kind, &infoMessage{id, p.string()})
	}
	return p.finish(kind, &plainRequest{kind, id})
}

// port reads a port or portSocket.
func (p parser) port() uint32 {
	n := p.Uint32()
	if n > 65535 && n != portSocket {
		p.Fail()
	}
	return n
}

func (p parser) session(id uint32) *sessionMessage {
	p.Text() // reserved
	m := &sessionMessage{id: id}
	r := &m.req
	r.TTY, r.X11 = p.Uint32() != 0, p.Uint32() != 0
	r.Agent, r.Subsystem = p.Uint32() != 0, p.Uint32() != 0
	if escape := p.Uint32(); escape < 256 {
		r.EscapeChar = int(escape)
	}
	r.Term, r.Command = p.string(), p.string()
	for p.More() {
		// What is no assignment is dropped, as OpenSSH does.
		if name, value, ok := strings.Cut(p.string(), "="); ok && name != "" {
			r.Env = append(r.Env, session.EnvVar{Name: name, Value: value})
		}
	}
	return m
}

// parseReply reads what a master sends after its HELLO.
func parseReply(b []byte) (message, error) {
	p := parser{wire.NewReader(b)}
	kind, id := msgType(p.Uint32()), p.Uint32()
	switch kind {
	case msgOK, msgTTYAllocFail, msgProxyReply:
		return p.finish(kind, &plainReply{kind: kind, id: id})
	case msgExit, msgAlive, msgSessionOpened, msgRemotePort:
		return p.finish(kind, &plainReply{kind, id, p.Uint32()})
	case msgPermissionDenied, msgFailure:
		return p.finish(kind, &refusalMessage{kind, id, p.Text()})
	case msgInfoReply:
		return p.finish(kind, &infoReplyMessage{id, p.Uint32(), p.Text()})
	}
	return nil, &ProtocolError{fmt.Sprintf("unexpected message 0x%08x from the master", uint32(kind))}
}
