// Package rawssh implements the server side of SSH at packet level, for tests. It
// can send what golang.org/x/crypto/ssh cannot: SSH_MSG_DISCONNECT with a reason,
// UNIMPLEMENTED, data after EOF, or invalid packets.
//
// [Accept] performs the key exchange on a net.Conn, and [Conn.Authenticate] accepts
// any credentials. Then the test reads and writes packets. There is one algorithm of
// each kind (curve25519-sha256, aes128-gcm@openssh.com, and that of the host key),
// which both OpenSSH and x/crypto support.
package rawssh

import (
	"bufio"
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Message numbers (RFC 4250, section 4.1.2).
const (
	MsgDisconnect          = 1
	MsgIgnore              = 2
	MsgUnimplemented       = 3
	MsgDebug               = 4
	MsgServiceRequest      = 5
	MsgServiceAccept       = 6
	MsgKexInit             = 20
	MsgNewKeys             = 21
	MsgKexECDHInit         = 30
	MsgKexECDHReply        = 31
	MsgUserAuthRequest     = 50
	MsgUserAuthFailure     = 51
	MsgUserAuthSuccess     = 52
	MsgUserAuthBanner      = 53
	MsgUserAuthPubKeyOK    = 60
	MsgGlobalRequest       = 80
	MsgRequestSuccess      = 81
	MsgRequestFailure      = 82
	MsgChannelOpen         = 90
	MsgChannelOpenConfirm  = 91
	MsgChannelOpenFailure  = 92
	MsgChannelWindowAdjust = 93
	MsgChannelData         = 94
	MsgChannelExtendedData = 95
	MsgChannelEOF          = 96
	MsgChannelClose        = 97
	MsgChannelRequest      = 98
	MsgChannelSuccess      = 99
	MsgChannelFailure      = 100
)

// maxPacket is the size of the largest packet that is accepted, as in OpenSSH.
const maxPacket = 256 << 10

// DefaultVersion is the identification string if none is given.
const DefaultVersion = "SSH-2.0-gossh_rawssh"

// errMalformed means that a packet cannot be parsed.
var errMalformed = errors.New("rawssh: malformed packet")

// Conn is a connection after its first key exchange. One goroutine may read
// while others write. Reading answers key exchanges of the client; writers wait
// until these are done.
type Conn struct {
	SessionID     []byte
	ClientVersion string

	nc      net.Conn
	r       *bufio.Reader
	version string
	hostKey ssh.Signer

	in      sealer
	writeMu sync.Mutex // guards out; held during a key exchange
	out     sealer
}

// sealer is the state of one direction.
type sealer struct {
	aead cipher.AEAD // nil means plain text
	iv   [12]byte
}

// step advances the counter in the nonce (RFC 5647, section 7.1).
func (s *sealer) step() {
	n := binary.BigEndian.Uint64(s.iv[4:])
	binary.BigEndian.PutUint64(s.iv[4:], n+1)
}

// Accept exchanges identification strings (an empty version means
// DefaultVersion) and keys. If it fails, the caller still owns nc.
func Accept(nc net.Conn, hostKey ssh.Signer, version string) (*Conn, error) {
	c, err := Greet(nc, hostKey, version)
	if err != nil {
		return nil, err
	}
	p, err := c.readPacket()
	if err != nil {
		return nil, err
	}
	if p[0] != MsgKexInit {
		return nil, fmt.Errorf("rawssh: message %d before the key exchange", p[0])
	}
	return c, c.exchange(p)
}

// Serve returns a function for Options.Takeover of package sshtest. It accepts a
// connection, accepts any credentials and calls handle. hostKey must be one of
// the server's HostKeys.
func Serve(hostKey ssh.Signer, handle func(context.Context, *Conn) error) func(context.Context, net.Conn) {
	return func(ctx context.Context, nc net.Conn) {
		c, err := Accept(nc, hostKey, "")
		if err != nil {
			return
		}
		if _, err := c.Authenticate(); err == nil {
			handle(ctx, c)
		}
	}
}

// Greet exchanges identification strings only: packets are sent in plain text,
// and the client's KEXINIT was not read.
func Greet(nc net.Conn, hostKey ssh.Signer, version string) (*Conn, error) {
	if version == "" {
		version = DefaultVersion
	}
	c := &Conn{nc: nc, r: bufio.NewReader(nc), version: version, hostKey: hostKey}
	if _, err := io.WriteString(nc, version+"\r\n"); err != nil {
		return nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("rawssh: client's version: %w", err)
	}
	c.ClientVersion = strings.TrimRight(string(line), "\r\n")
	return c, nil
}

// Close closes the network connection.
func (c *Conn) Close() error { return c.nc.Close() }

// ReadPacket returns the next packet that is not part of a key exchange.
func (c *Conn) ReadPacket() ([]byte, error) {
	for {
		p, err := c.readPacket()
		if err != nil {
			return nil, err
		}
		if p[0] != MsgKexInit {
			return p, nil
		}
		if err := c.exchange(p); err != nil {
			return nil, err
		}
	}
}

// ReadUntil reads packets until one of a type, and returns it.
func (c *Conn) ReadUntil(msg byte) ([]byte, error) {
	for {
		p, err := c.ReadPacket()
		if err != nil || p[0] == msg {
			return p, err
		}
	}
}

// WritePacket sends a packet: its message number and its body.
func (c *Conn) WritePacket(p []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.writePacket(p)
}

// Send sends a message: its number, and its fields, a struct that is encoded by
// ssh.Marshal. Nil means no fields.
func (c *Conn) Send(msg byte, fields any) error {
	p := []byte{msg}
	if fields != nil {
		p = append(p, ssh.Marshal(fields)...)
	}
	return c.WritePacket(p)
}

// Disconnect sends SSH_MSG_DISCONNECT (RFC 4253, section 11.1). It does not
// close the connection.
func (c *Conn) Disconnect(reason uint32, description string) error {
	return c.Send(MsgDisconnect, struct {
		Reason                uint32
		Description, Language string
	}{reason, description, ""})
}

// readPacket reads one packet (RFC 4253, section 6; RFC 5647).
func (c *Conn) readPacket() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 2 || length > maxPacket {
		return nil, errMalformed
	}
	tag := 0
	if c.in.aead != nil {
		tag = c.in.aead.Overhead()
	}
	body := make([]byte, int(length)+tag)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return nil, err
	}
	if c.in.aead != nil {
		var err error
		if body, err = c.in.aead.Open(body[:0], c.in.iv[:], body, head[:]); err != nil {
			return nil, err
		}
		c.in.step()
	}
	padding := int(body[0])
	if padding+2 > len(body) {
		return nil, errMalformed
	}
	return body[1 : len(body)-padding], nil
}

// writePacket writes a packet. The caller holds writeMu.
func (c *Conn) writePacket(p []byte) error {
	const block = 16
	// In plain text the length field is part of the padded blocks.
	covered := 1 + len(p)
	if c.out.aead == nil {
		covered += 4
	}
	padding := block - covered%block
	if padding < 4 {
		padding += block
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(p)+padding))
	packet = append(packet, byte(padding))
	packet = append(packet, p...)
	packet = append(packet, make([]byte, padding)...)
	if c.out.aead != nil {
		packet = c.out.aead.Seal(packet[:4], c.out.iv[:], packet[4:], packet[:4])
		c.out.step()
	}
	_, err := c.nc.Write(packet)
	return err
}
