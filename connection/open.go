package connection

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"
)

var (
	errTooManyChannels = errors.New("connection: too many channels")
	errAnswered        = errors.New("connection: the channel was answered already")
)

// OpenChannel opens a channel (RFC 4254, section 5.1) and waits for the answer. A
// refusal is an *ssh.OpenChannelError.
func (c *Conn) OpenChannel(name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return c.OpenChannelContext(context.Background(), name, data)
}

// OpenChannelContext is OpenChannel with a context, whose end ends the waiting. A
// channel that is confirmed later is closed at once.
func (c *Conn) OpenChannelContext(ctx context.Context, name string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch := newChannel(c, name, data)
	ch.opening = make(chan error, 1)
	if err := c.add(ch); err != nil {
		return nil, nil, err
	}
	m := ssh.Marshal(&channelOpenMsg{Type: name, Sender: ch.id, Window: initialWindow, MaxPacket: maxPacket, Data: data})
	if err := c.packets.WritePacket(m, nil); err != nil {
		c.remove(ch, 0)
		return nil, nil, err
	}
	select {
	case err := <-ch.opening:
		if err != nil {
			return nil, nil, err
		}
		return ch, ch.requests.ch, nil
	case <-c.done:
		return nil, nil, c.Err()
	case <-ctx.Done():
		ch.abandon()
		return nil, nil, context.Cause(ctx)
	}
}

// channelOpen handles the peer's CHANNEL_OPEN.
func (c *Conn) channelOpen(p []byte) error {
	var m channelOpenMsg
	if err := ssh.Unmarshal(p, &m); err != nil {
		return protocolErrorf("malformed open of a channel")
	}
	refuse := func(reason ssh.RejectionReason, text string) error {
		return c.packets.QueuePacket(ssh.Marshal(&channelOpenFailureMsg{Recipient: m.Sender, Reason: uint32(reason), Message: text, Language: "en"}))
	}
	if m.MaxPacket < 1 {
		return refuse(ssh.ConnectionFailed, "maximum packet size of 0")
	}
	c.mu.Lock()
	busy := c.unopened >= maxOpens
	if !busy {
		c.unopened++
	}
	c.mu.Unlock()
	if busy {
		return refuse(ssh.ResourceShortage, "too many channels are being opened")
	}
	ch := newChannel(c, m.Type, slices.Clone(m.Data))
	ch.peer, ch.peerWindow, ch.peerMax = m.Sender, m.Window, min(m.MaxPacket, maxPacket)
	c.opens.push(&newIncoming{ch: ch})
	return nil
}

// answered counts an open that the program has answered.
func (c *Conn) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unopened--
}

// newIncoming is a channel that the peer asks for. It is an ssh.NewChannel.
type newIncoming struct {
	ch   *Channel
	done bool
}

func (n *newIncoming) ChannelType() string { return n.ch.kind }
func (n *newIncoming) ExtraData() []byte   { return n.ch.extraData }

// Accept confirms the channel.
func (n *newIncoming) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	if n.done {
		return nil, nil, errAnswered
	}
	n.done = true
	c := n.ch.c
	c.answered()
	if err := c.add(n.ch); err != nil {
		if errors.Is(err, errTooManyChannels) {
			n.refuse(ssh.ResourceShortage, "too many channels")
		}
		return nil, nil, err
	}
	m := ssh.Marshal(&channelOpenConfirmMsg{Recipient: n.ch.peer, Sender: n.ch.id, Window: initialWindow, MaxPacket: maxPacket})
	if err := c.packets.WritePacket(m, nil); err != nil {
		c.remove(n.ch, 0)
		return nil, nil, err
	}
	return n.ch, n.ch.requests.ch, nil
}

// Reject refuses the channel.
func (n *newIncoming) Reject(reason ssh.RejectionReason, message string) error {
	if n.done {
		return errAnswered
	}
	n.done = true
	n.ch.c.answered()
	return n.refuse(reason, message)
}

func (n *newIncoming) refuse(reason ssh.RejectionReason, message string) error {
	m := channelOpenFailureMsg{Recipient: n.ch.peer, Reason: uint32(reason), Message: message, Language: "en"}
	return n.ch.c.packets.WritePacket(ssh.Marshal(&m), nil)
}
