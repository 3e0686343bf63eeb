package rawssh

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// AuthRequest is SSH_MSG_USERAUTH_REQUEST (RFC 4252, section 5).
type AuthRequest struct {
	User, Service, Method string
	Rest                  []byte `ssh:"rest"` // the method's own fields
}

// Authenticate accepts the service request and the first credentials, unchecked.
// "none" is refused.
func (c *Conn) Authenticate() (AuthRequest, error) {
	if err := c.AcceptService(); err != nil {
		return AuthRequest{}, err
	}
	for {
		r, err := c.ReadAuthRequest()
		if err != nil {
			return r, err
		}
		var query struct {
			Signed    bool
			Algorithm string
			Key       []byte
			Signature []byte `ssh:"rest"`
		}
		switch {
		case r.Method == "none":
			err = c.Send(MsgUserAuthFailure, struct {
				Methods []string
				Partial bool
			}{[]string{"publickey", "password"}, false})
		case r.Method == "publickey" && ssh.Unmarshal(r.Rest, &query) == nil && !query.Signed:
			err = c.Send(MsgUserAuthPubKeyOK, struct {
				Algorithm string
				Key       []byte
			}{query.Algorithm, query.Key})
		default:
			return r, c.Send(MsgUserAuthSuccess, nil)
		}
		if err != nil {
			return r, err
		}
	}
}

// AcceptService answers the client's request for ssh-userauth.
func (c *Conn) AcceptService() error {
	if _, err := c.ReadUntil(MsgServiceRequest); err != nil {
		return err
	}
	return c.Send(MsgServiceAccept, struct{ Name string }{"ssh-userauth"})
}

// ReadAuthRequest reads the next authentication request. The caller answers it.
func (c *Conn) ReadAuthRequest() (AuthRequest, error) {
	var r AuthRequest
	p, err := c.ReadUntil(MsgUserAuthRequest)
	if err != nil {
		return r, err
	}
	if err := ssh.Unmarshal(p[1:], &r); err != nil {
		return r, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return r, nil
}

// Channel is a channel that the client has opened and AcceptChannel has
// confirmed. Its methods only write packets.
type Channel struct {
	Type string
	ID   uint32 // the client's number, for packets to it
	conn *Conn
}

// AcceptChannel reads until the client opens a channel, and confirms it with a
// window of 2 MiB.
func (c *Conn) AcceptChannel() (*Channel, error) {
	p, err := c.ReadUntil(MsgChannelOpen)
	if err != nil {
		return nil, err
	}
	var open struct {
		Type                      string
		Sender, Window, MaxPacket uint32
		Rest                      []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(p[1:], &open); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return &Channel{open.Type, open.Sender, c}, c.Send(MsgChannelOpenConfirm, struct {
		Recipient, Sender, Window, MaxPacket uint32
	}{open.Sender, open.Sender, 2 << 20, 32 << 10})
}

// Send sends a message that consists of the channel: MsgChannelEOF, -Close,
// -Success or -Failure.
func (ch *Channel) Send(msg byte) error {
	return ch.conn.Send(msg, struct{ Recipient uint32 }{ch.ID})
}

// Data sends data on standard output. It ignores the window.
func (ch *Channel) Data(data []byte) error {
	return ch.conn.Send(MsgChannelData, struct {
		Recipient uint32
		Data      []byte
	}{ch.ID, data})
}

// Request sends a channel request.
func (ch *Channel) Request(name string, wantReply bool, payload []byte) error {
	return ch.conn.Send(MsgChannelRequest, struct {
		Recipient uint32
		Name      string
		WantReply bool
		Payload   []byte `ssh:"rest"`
	}{ch.ID, name, wantReply, payload})
}
