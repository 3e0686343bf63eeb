package connection

import (
	"encoding/binary"
	"testing"

	"golang.org/x/crypto/ssh"
)

// FuzzMessages gives a connection with one open channel any messages: each is a
// length of two bytes, and that many bytes. Nothing may panic or block, and memory
// is bounded by the window.
func FuzzMessages(f *testing.F) {
	seed := func(messages ...[]byte) {
		var data []byte
		for _, m := range messages {
			data = append(binary.BigEndian.AppendUint16(data, uint16(len(m))), m...)
		}
		f.Add(data)
	}
	seed(append(channelMessage(msgChannelData, 0), 0, 0, 0, 1, 'x'), channelMessage(msgChannelEOF, 0), channelMessage(msgChannelClose, 0))
	seed(ssh.Marshal(&channelOpenMsg{Type: "x", Sender: 1, Window: 1, MaxPacket: 1}), ssh.Marshal(&globalRequestMsg{Type: "y", WantReply: true}))
	seed(ssh.Marshal(&channelRequestMsg{Recipient: 0, Type: "exit-status", WantReply: true, Data: []byte{0, 0, 0, 1}}))
	seed(append(channelMessage(msgChannelExtendedData, 0), 0, 0, 0, 1, 0, 0, 0, 1, 'x'), append(channelMessage(msgChannelWindowAdjust, 0), 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Conn{packets: sink{}, opts: Options{MaxWindow: maxWindow}, channels: make(map[uint32]*Channel), done: make(chan struct{})}
		c.opens = newQueue[ssh.NewChannel](8, maxOpens, c.done)
		c.requests = newQueue[*ssh.Request](8, maxRequests, c.done)
		ch := newChannel(c, "session", nil)
		ch.opening = make(chan error, 1)
		if err := c.add(ch); err != nil {
			t.Fatal(err)
		}
		if err := c.handle(ssh.Marshal(&channelOpenConfirmMsg{Recipient: ch.id, Window: 1 << 20, MaxPacket: 1 << 15})); err != nil {
			t.Fatal(err)
		}
		for len(data) >= 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			m := data[2 : 2+n]
			data = data[2+n:]
			if n == 0 {
				continue // transports deliver no empty messages
			}
			if c.handle(m) != nil {
				break
			}
		}
		if got := ch.streams[0].n + ch.streams[1].n; got > initialWindow {
			t.Fatalf("%d bytes kept", got)
		}
		close(c.done)
		ch.lost()
		c.opens.close()
		c.requests.close()
	})
}

// sink takes every message.
type sink struct{}

func (sink) ReadPacket() ([]byte, error)      { select {} }
func (sink) WritePacket(head, _ []byte) error { return nil }
func (sink) QueuePacket([]byte) error         { return nil }
func (sink) Close() error                     { return nil }
