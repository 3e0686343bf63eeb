package connection

import (
	"io"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// maxChannelRequests is how many requests the program may leave untaken.
const maxChannelRequests = 256

// A Channel is a channel of a Conn. It is an ssh.Channel.
type Channel struct {
	c         *Conn
	kind      string
	extraData []byte
	id        uint32
	opening   chan error // the answer to our open; nil for the peer's
	requests  *queue[*ssh.Request]

	sending sync.Mutex // orders requests with their replies
	writing [2]sync.Mutex
	heads   [2][13]byte // of data messages, under writing

	mu      sync.Mutex
	changed sync.Cond

	peer, peerWindow, peerMax uint32
	confirmed                 bool

	streams  [2]buffer // standard output, standard error
	window   uint32    // its size
	left     uint32    // what the peer may still send
	consumed uint32    // read, and not yet given back to the peer

	underWay           int    // messages being written
	eof                bool   // the peer sends no more data
	gone               bool   // the peer has closed, or the connection has ended
	sentEOF, sentClose bool   // no more is sent but what is under way
	last               []byte // the numbers of the messages to be sent after that
	abandoned          bool
	replies            []chan bool
}

func newChannel(c *Conn, kind string, data []byte) *Channel {
	ch := &Channel{c: c, kind: kind, extraData: data, window: initialWindow, left: initialWindow}
	ch.changed.L = &ch.mu
	ch.requests = newQueue[*ssh.Request](4, maxChannelRequests, c.done)
	return ch
}

// handle acts on a message for the channel.
func (ch *Channel) handle(p []byte) error {
	switch p[0] {
	case msgChannelData:
		return ch.data(0, p[5:])
	case msgChannelExtendedData:
		if len(p) < 9 {
			return protocolErrorf("malformed extended data")
		}
		if be32(p[5:]) != extendedStderr {
			return ch.data(-1, p[9:])
		}
		return ch.data(1, p[9:])
	case msgChannelWindowAdjust:
		return ch.windowAdjust(p)
	case msgChannelOpenConfirm:
		return ch.openConfirm(p)
	case msgChannelOpenFailure:
		return ch.openFailure(p)
	case msgChannelEOF:
		ch.mu.Lock()
		ch.eof = true
		ch.changed.Broadcast()
		ch.mu.Unlock()
		return nil
	case msgChannelClose:
		return ch.peerClosed()
	case msgChannelRequest:
		return ch.request(p)
	}
	return ch.reply(p[0] == msgChannelSuccess)
}

// data keeps what the peer sends on a stream; -1 is one that nobody reads.
func (ch *Channel) data(stream int, p []byte) error {
	if len(p) < 4 || uint64(be32(p)) != uint64(len(p)-4) {
		return protocolErrorf("malformed data")
	}
	p = p[4:]
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.open() {
		return protocolErrorf("data for channel %d, which is not open", ch.id)
	}
	if uint32(len(p)) > ch.left {
		return protocolErrorf("data beyond the window of channel %d", ch.id)
	}
	ch.left -= uint32(len(p))
	if ch.eof || ch.gone {
		return nil // after the end; not given back
	}
	if ch.sentClose {
		return nil // nor this
	}
	if stream < 0 {
		return ch.giveBack(uint32(len(p)))
	}
	ch.streams[stream].write(p)
	ch.grow()
	ch.changed.Broadcast()
	return nil
}

// open reports whether the channel was opened. ch.mu is held.
func (ch *Channel) open() bool { return ch.opening == nil || ch.confirmed }

// grow doubles the window when the peer has used it up although the program has
// read nearly all: the line then holds more than the window. ch.mu is held.
func (ch *Channel) grow() {
	unread := ch.streams[0].n + ch.streams[1].n
	if ch.left >= maxPacket || uint32(unread) > ch.window/4 || ch.window >= ch.c.opts.MaxWindow {
		return
	}
	more := min(ch.window, ch.c.opts.MaxWindow-ch.window)
	if ch.c.mayGrow(int(more)) {
		ch.window += more
		ch.consumed += more
		ch.giveBack(0)
	}
}

// giveBack lets the peer send n bytes more, in a message for many of them. ch.mu
// is held.
func (ch *Channel) giveBack(n uint32) error {
	ch.consumed += n
	if ch.consumed < ch.window/4 || ch.eof || ch.gone {
		return nil
	}
	m := make([]byte, 9)
	m[0] = msgChannelWindowAdjust
	putBE32(m[1:], ch.peer)
	putBE32(m[5:], ch.consumed)
	ch.left += ch.consumed
	ch.consumed = 0
	return ch.c.packets.QueuePacket(m)
}

func (ch *Channel) windowAdjust(p []byte) error {
	if len(p) != 9 {
		return protocolErrorf("malformed window adjustment")
	}
	n := be32(p[5:])
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.open() || uint64(ch.peerWindow)+uint64(n) > 1<<32-1 {
		return protocolErrorf("window of channel %d overflows", ch.id)
	}
	ch.peerWindow += n
	ch.changed.Broadcast()
	return nil
}

func (ch *Channel) openConfirm(p []byte) error {
	var m channelOpenConfirmMsg
	if err := ssh.Unmarshal(p, &m); err != nil || m.MaxPacket < 1 {
		return protocolErrorf("malformed confirmation of channel %d", ch.id)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.opening == nil || ch.confirmed {
		return protocolErrorf("unexpected confirmation of channel %d", ch.id)
	}
	ch.confirmed = true
	ch.peer, ch.peerWindow, ch.peerMax = m.Sender, m.Window, min(m.MaxPacket, maxPacket)
	if ch.abandoned {
		return ch.sendClose()
	}
	ch.opening <- nil
	return nil
}

func (ch *Channel) openFailure(p []byte) error {
	var m channelOpenFailureMsg
	if err := ssh.Unmarshal(p, &m); err != nil {
		return protocolErrorf("malformed refusal of channel %d", ch.id)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.opening == nil || ch.confirmed {
		return protocolErrorf("unexpected refusal of channel %d", ch.id)
	}
	ch.c.remove(ch, 0)
	ch.opening <- &ssh.OpenChannelError{Reason: ssh.RejectionReason(m.Reason), Message: m.Message}
	return nil
}

// abandon gives up an open that was not answered.
func (ch *Channel) abandon() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.abandoned = true
	if ch.confirmed && !ch.sentClose { // in the last moment
		ch.sendClose()
	}
}

func (ch *Channel) peerClosed() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.open() || ch.gone {
		return protocolErrorf("unexpected close of channel %d", ch.id)
	}
	var err error
	if !ch.sentClose {
		err = ch.sendClose()
	}
	ch.end()
	ch.c.remove(ch, int(ch.window-initialWindow))
	return err
}

// lost ends the channel with its connection.
func (ch *Channel) lost() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.end()
}

// end wakes everything that waits. ch.mu is held.
func (ch *Channel) end() {
	ch.eof, ch.gone = true, true
	for _, r := range ch.replies {
		close(r)
	}
	ch.replies = nil
	ch.requests.close()
	ch.changed.Broadcast()
}

func (ch *Channel) request(p []byte) error {
	var m channelRequestMsg
	if err := ssh.Unmarshal(p, &m); err != nil {
		return protocolErrorf("malformed request on channel %d", ch.id)
	}
	ch.mu.Lock()
	open, closed, peer := ch.open(), ch.sentClose, ch.peer
	ch.mu.Unlock()
	if !open {
		return protocolErrorf("request on channel %d, which is not open", ch.id)
	}
	if m.WantReply && !closed {
		if err := ch.c.packets.QueuePacket(channelMessage(msgChannelFailure, peer)); err != nil {
			return err
		}
	}
	if !ch.requests.push(&ssh.Request{Type: m.Type, Payload: slices.Clone(m.Data)}) {
		return protocolErrorf("too many requests on channel %d", ch.id)
	}
	return nil
}

func (ch *Channel) reply(ok bool) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.replies) == 0 {
		return protocolErrorf("unexpected answer on channel %d", ch.id)
	}
	ch.replies[0] <- ok
	ch.replies = ch.replies[1:]
	return nil
}

// SendRequest sends a request on the channel (RFC 4254, section 5.4). If wantReply
// is set it waits for the answer; io.EOF means that the channel ended first.
// Several may be under way.
func (ch *Channel) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	wait, err := ch.StartRequest(name, wantReply, payload)
	if err != nil || !wantReply {
		return false, err
	}
	return wait()
}

// StartRequest sends a request and returns a function that waits for its answer.
func (ch *Channel) StartRequest(name string, wantReply bool, payload []byte) (wait func() (bool, error), err error) {
	answer := make(chan bool, 1)
	ch.sending.Lock()
	defer ch.sending.Unlock()
	ch.mu.Lock()
	if ch.sentClose || ch.gone {
		ch.mu.Unlock()
		return nil, io.EOF
	}
	if wantReply {
		ch.replies = append(ch.replies, answer)
	}
	peer := ch.peer
	ch.underWay++
	ch.mu.Unlock()
	m := ssh.Marshal(&channelRequestMsg{Recipient: peer, Type: name, WantReply: wantReply, Data: payload})
	err = ch.c.packets.WritePacket(m, nil)
	ch.written()
	if err != nil {
		return nil, err
	}
	return func() (bool, error) {
		ok, open := <-answer
		if !open {
			return false, io.EOF
		}
		return ok, nil
	}, nil
}

// Read reads from the channel's data, Stderr from its extended data. Both return
// io.EOF after the end of the channel, whatever has caused it: the connection's
// Err says.
func (ch *Channel) Read(p []byte) (int, error) { return ch.readStream(0, p) }

func (ch *Channel) readStream(stream int, p []byte) (int, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	b := &ch.streams[stream]
	for b.n == 0 {
		if ch.eof || ch.sentClose {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		ch.changed.Wait()
	}
	n := b.read(p)
	ch.giveBack(uint32(n)) // its error is that of the connection; what was read is still good
	return n, nil
}

// Write writes to the channel's data. It blocks while the peer's window is used
// up, and returns io.EOF after the channel's end.
func (ch *Channel) Write(p []byte) (int, error) { return ch.writeStream(0, p) }

func (ch *Channel) writeStream(stream int, p []byte) (written int, err error) {
	ch.writing[stream].Lock()
	defer ch.writing[stream].Unlock()
	for written < len(p) {
		n, peer, err := ch.reserve(len(p) - written)
		if err != nil {
			return written, err
		}
		err = ch.c.packets.WritePacket(ch.dataHead(stream, peer, n), p[written:written+n])
		ch.written()
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// reserve waits for room in the peer's window, and takes up to n bytes of it.
func (ch *Channel) reserve(n int) (int, uint32, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for ch.peerWindow == 0 && !ch.sentEOF && !ch.gone {
		ch.changed.Wait()
	}
	if ch.sentEOF || ch.gone {
		return 0, 0, io.EOF
	}
	n = min(n, int(ch.peerMax), int(min(ch.peerWindow, 1<<30)))
	ch.peerWindow -= uint32(n)
	ch.underWay++
	return n, ch.peer, nil
}

// dataHead is the beginning of a data message, which is kept with the channel so
// that nothing is allocated.
func (ch *Channel) dataHead(stream int, peer uint32, n int) []byte {
	head := ch.heads[stream][:9]
	head[0] = msgChannelData
	if stream == 1 {
		head = ch.heads[stream][:13]
		head[0] = msgChannelExtendedData
		putBE32(head[5:], extendedStderr)
	}
	putBE32(head[1:], peer)
	putBE32(head[len(head)-4:], uint32(n))
	return head
}

// written notes that a message was written, and sends what had to wait for it.
func (ch *Channel) written() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.underWay--
	ch.sendLast()
}

// sendLast sends EOF and CLOSE once no message of the channel is being written:
// none may follow them. ch.mu is held.
func (ch *Channel) sendLast() (err error) {
	if ch.underWay > 0 {
		return nil
	}
	for _, number := range ch.last {
		err = ch.c.packets.QueuePacket(channelMessage(number, ch.peer))
	}
	ch.last = nil
	return err
}

// CloseWrite sends EOF after what is being written. It does not block.
func (ch *Channel) CloseWrite() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.sentEOF || ch.gone {
		return io.EOF
	}
	ch.sentEOF = true
	ch.changed.Broadcast()
	ch.last = append(ch.last, msgChannelEOF)
	return ch.sendLast()
}

// Close sends CLOSE after what is being written. It does not block. Reads and
// writes end with io.EOF; what the peer still sends is dropped.
func (ch *Channel) Close() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.sentClose || ch.gone {
		return io.EOF
	}
	return ch.sendClose()
}

// sendClose is Close. ch.mu is held.
func (ch *Channel) sendClose() error {
	ch.sentEOF, ch.sentClose = true, true
	ch.changed.Broadcast()
	ch.last = append(ch.last, msgChannelClose)
	return ch.sendLast()
}

// Stderr returns the channel's extended data of type 1.
func (ch *Channel) Stderr() io.ReadWriter { return stderr{ch} }

type stderr struct{ ch *Channel }

func (s stderr) Read(p []byte) (int, error)  { return s.ch.readStream(1, p) }
func (s stderr) Write(p []byte) (int, error) { return s.ch.writeStream(1, p) }
