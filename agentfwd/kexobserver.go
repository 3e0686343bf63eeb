package agentfwd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/internal/wire"
)

// KexObserver is a net.Conn that parses the first key exchange, which is not
// encrypted, and keeps the host key and the signature, which x/crypto does not
// make available. It never changes, delays or stops the data, and stops parsing at
// the server's first SSH_MSG_NEWKEYS.
type KexObserver struct {
	net.Conn

	over atomic.Bool // nothing more to see: Read is the plain one

	mu     sync.Mutex // guards parser
	parser kexParser
}

// ObserveKex returns a KexObserver for ssh.NewClientConn. No data may have been
// read from conn.
func ObserveKex(conn net.Conn) *KexObserver { return &KexObserver{Conn: conn} }

// Read reads from the connection and parses the data.
func (o *KexObserver) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if n > 0 && !o.over.Load() {
		o.observe(p[:n])
	}
	return n, err
}

// observe hands what was read to the parser.
func (o *KexObserver) observe(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parser.feed(b)
	if o.parser.state == kexOver {
		o.over.Store(true)
	}
}

// Binding returns the verified binding of the session whose identifier
// ssh.ConnMetadata returns. It is available when authentication begins. Its error
// wraps ErrNoBinding. It may be called by several goroutines.
func (o *KexObserver) Binding(sessionID []byte) (Binding, error) {
	o.mu.Lock()
	hostKey, signature := o.parser.hostKey, o.parser.signature
	o.mu.Unlock()
	if hostKey == nil {
		return Binding{}, fmt.Errorf("%w: no key exchange reply was seen", ErrNoBinding)
	}
	key, err := ssh.ParsePublicKey(hostKey)
	if err != nil {
		return Binding{}, fmt.Errorf("%w: host key: %w", ErrNoBinding, err)
	}
	b := Binding{HostKey: key, SessionID: bytes.Clone(sessionID), Signature: signature}
	if err := b.Verify(); err != nil {
		return Binding{}, err
	}
	return b, nil
}

// ServerKexAlgorithms returns the key exchange methods that the server offers, in
// the server's order. They are read before the key exchange, so they are not
// authenticated.
func (o *KexObserver) ServerKexAlgorithms() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parser.methods == "" {
		return nil
	}
	return strings.Split(o.parser.methods, ",")
}

// Messages of the key exchange (RFC 4253, section 12; RFC 4419; RFC 5656).
const (
	msgKexInit = 20
	msgNewKeys = 21
	// msgKexReply is SSH_MSG_KEXDH_REPLY, SSH_MSG_KEX_ECDH_REPLY and the reply
	// of the hybrid methods, but also SSH_MSG_KEX_DH_GEX_GROUP.
	msgKexReply    = 31
	msgKexGexReply = 33
)

// maxKexPacket is the longest packet that x/crypto takes.
const maxKexPacket = 256 << 10

// States of a kexParser.
type kexState int

const (
	kexLine   kexState = iota // in a line, the server's version or one before it
	kexHeader                 // in a packet's length, padding length and type
	kexBody                   // in the rest of a packet
	kexOver                   // past NEWKEYS, or lost
)

// kexParser reads the server's half of a connection's beginning: lines up to
// the one that starts with SSH- (RFC 4253, section 4.2), then packets without
// encryption or MAC (section 6). It holds one packet at most, and only one
// that can be the reply.
type kexParser struct {
	state kexState

	start  []byte // the first bytes of the line, at most len("SSH-")
	header []byte // uint32 length, byte padding length, byte type

	kind    byte   // type of the packet
	payload []byte // what is here of it, if it is wanted
	want    int    // bytes of payload still to come
	skip    int    // bytes of the packet to pass over after those

	methods            string // of the first SSH_MSG_KEXINIT
	hostKey, signature []byte // of the last reply
}

// kexHeaderLen is the length of a header.
const kexHeaderLen = 6

// feed takes the next bytes of the stream.
func (p *kexParser) feed(b []byte) {
	for len(b) > 0 {
		switch p.state {
		case kexLine:
			b = p.feedLine(b)
		case kexHeader:
			b = p.feedHeader(b)
		case kexBody:
			b = p.feedBody(b)
		default:
			return
		}
	}
}

// feedLine passes over lines, and returns what follows the version.
func (p *kexParser) feedLine(b []byte) []byte {
	line, rest, ended := bytes.Cut(b, []byte("\n"))
	p.start = append(p.start, line[:min(len(line), len("SSH-")-len(p.start))]...)
	if !ended {
		return nil
	}
	if string(p.start) == "SSH-" {
		p.state = kexHeader
	}
	p.start = p.start[:0]
	return rest
}

// feedHeader collects a header and decides what to keep of the packet.
func (p *kexParser) feedHeader(b []byte) []byte {
	n := min(len(b), kexHeaderLen-len(p.header))
	p.header = append(p.header, b[:n]...)
	if len(p.header) < kexHeaderLen {
		return nil
	}
	length := int64(binary.BigEndian.Uint32(p.header))
	padding := int64(p.header[4])
	p.kind = p.header[5]
	p.header = p.header[:0]
	// The length counts the padding's length, the type and the padding.
	body := length - 2 - padding
	if length > maxKexPacket || body < 0 || p.kind == msgNewKeys {
		p.stop()
		return nil
	}
	p.state, p.want, p.skip = kexBody, 0, int(body+padding)
	if p.kind == msgKexInit && p.methods == "" || p.kind == msgKexReply || p.kind == msgKexGexReply {
		p.want, p.skip = int(body), int(padding)
	}
	p.packetDone()
	return b[n:]
}

// feedBody collects or passes over a packet's bytes.
func (p *kexParser) feedBody(b []byte) []byte {
	n := min(len(b), p.want)
	p.payload = append(p.payload, b[:n]...)
	p.want -= n
	b = b[n:]
	n = min(len(b), p.skip)
	p.skip -= n
	p.packetDone()
	return b[n:]
}

// packetDone looks at the packet if it is whole.
func (p *kexParser) packetDone() {
	if p.want > 0 || p.skip > 0 {
		return
	}
	p.state = kexHeader
	if p.payload == nil {
		return
	}
	if p.kind == msgKexInit {
		p.methods = kexMethods(p.payload)
		p.payload = nil
		return
	}
	// string host key, string or mpint of the exchange, string signature. A
	// SSH_MSG_KEX_DH_GEX_GROUP, two mpints, does not pass for that.
	f := wire.NewReader(p.payload)
	hostKey, _, signature := f.Bytes(), f.Bytes(), f.Bytes()
	if f.End() == nil {
		p.hostKey, p.signature = bytes.Clone(hostKey), bytes.Clone(signature)
	}
	p.payload = nil
}

// stop ends the looking, and lets go of all but the result.
func (p *kexParser) stop() {
	*p = kexParser{state: kexOver, hostKey: p.hostKey, signature: p.signature, methods: p.methods}
}

// kexMethods reads the first list of an SSH_MSG_KEXINIT, which follows 16
// random bytes (RFC 4253, section 7.1).
func kexMethods(payload []byte) string {
	const cookieLen = 16
	if len(payload) < cookieLen {
		return ""
	}
	f := wire.NewReader(payload[cookieLen:])
	methods := f.Bytes()
	if f.Err() != nil {
		return ""
	}
	return string(methods)
}

// Binding proves to an agent to which server a connection is: it has the signature
// of the first exchange hash, which is the session identifier (RFC 4253, section
// 7.2), by the host key.
type Binding struct {
	HostKey   ssh.PublicKey // as the server presented it: a certificate if it has one
	SessionID []byte
	Signature []byte // string format, string blob (RFC 4253, section 6.6)
}

// Verify checks that the signature is one of the session identifier by the host
// key. For a certificate it uses the certified key, as the agent does. Its error
// wraps ErrNoBinding.
func (b Binding) Verify() error {
	if b.HostKey == nil || len(b.SessionID) == 0 {
		return ErrNoBinding
	}
	sig, err := parseSignature(b.Signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoBinding, err)
	}
	if err := b.HostKey.Verify(b.SessionID, sig); err != nil {
		return fmt.Errorf("%w: %w", ErrNoBinding, err)
	}
	return nil
}
