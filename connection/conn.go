package connection

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Packets carries the messages of a connection: an SSH transport, or a control
// socket in proxy mode.
type Packets interface {
	// ReadPacket returns the next message, which is valid until the next call. It
	// has one caller.
	ReadPacket() ([]byte, error)

	// WritePacket sends head followed by body as one message, and may block. It
	// keeps neither.
	WritePacket(head, body []byte) error

	// QueuePacket sends a message without ever blocking. It keeps p.
	QueuePacket(p []byte) error

	// Close unblocks the others.
	Close() error
}

// Options are what a Conn may be given.
type Options struct {
	// Metadata is what the Conn returns of its own login: user, session id,
	// versions, addresses.
	Metadata ssh.ConnMetadata

	// Answer, if set, answers the peer's global requests that want a reply. It is
	// called by the goroutine that reads packets, and must not block.
	Answer func(name string, payload []byte) (ok bool, reply []byte)

	// MaxWindow bounds the window of a channel, in bytes. The default is 64 MiB.
	MaxWindow uint32
}

// Bounds of what the peer can make a Conn keep.
const (
	maxRequests   = 256       // global requests that the program has not taken
	maxOpens      = 64        // channels that the program has not answered
	maxChannels   = 8192      // at once
	initialWindow = 2 << 20   // bytes
	maxWindow     = 64 << 20  // of a channel
	sumOfWindows  = 256 << 20 // of all channels, beyond initialWindow each
	maxPacket     = 32 << 10  // data of one message
)

// A Conn is one end of a connection. Its methods may be called by several
// goroutines.
type Conn struct {
	ssh.ConnMetadata
	packets  Packets
	opts     Options
	opens    *queue[ssh.NewChannel]
	requests *queue[*ssh.Request]

	sending sync.Mutex // orders global requests with their replies

	mu       sync.Mutex
	channels map[uint32]*Channel
	nextID   uint32
	unopened int // opens that the program has not answered
	extra    int // sum of windows beyond initialWindow
	replies  []chan reply
	err      error

	done    chan struct{}
	running sync.WaitGroup
}

type reply struct {
	ok   bool
	data []byte
}

// New makes a Conn over packets, and starts to read. The Conn owns packets.
func New(packets Packets, opts Options) *Conn {
	c := &Conn{ConnMetadata: opts.Metadata, packets: packets, opts: opts,
		channels: make(map[uint32]*Channel), done: make(chan struct{})}
	if c.opts.MaxWindow == 0 {
		c.opts.MaxWindow = maxWindow
	}
	c.opens = newQueue[ssh.NewChannel](8, maxOpens, c.done)
	c.requests = newQueue[*ssh.Request](8, maxRequests, c.done)
	c.running.Add(1)
	go c.readLoop()
	return c
}

// Channels returns the channels that the peer opens. It is closed with the
// connection.
func (c *Conn) Channels() <-chan ssh.NewChannel { return c.opens.ch }

// Requests returns the peer's global requests, answered already (see the package
// comment). It is closed with the connection.
func (c *Conn) Requests() <-chan *ssh.Request { return c.requests.ch }

// readLoop ends with the connection.
func (c *Conn) readLoop() {
	defer c.running.Done()
	for {
		p, err := c.packets.ReadPacket()
		if err == nil {
			err = c.handle(p)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// handle acts on one message.
func (c *Conn) handle(p []byte) error {
	switch p[0] {
	case msgGlobalRequest:
		return c.globalRequest(p)
	case msgRequestSuccess, msgRequestFailure:
		return c.globalReply(reply{p[0] == msgRequestSuccess, slices.Clone(p[1:])})
	case msgChannelOpen:
		return c.channelOpen(p)
	}
	if p[0] < msgChannelOpenConfirm || p[0] > msgChannelFailure {
		return c.unknown(p[0])
	}
	if len(p) < 5 {
		return protocolErrorf("message %d is too short", p[0])
	}
	id := be32(p[1:])
	c.mu.Lock()
	ch := c.channels[id]
	c.mu.Unlock()
	if ch == nil {
		return protocolErrorf("message %d for channel %d, which does not exist", p[0], id)
	}
	return ch.handle(p)
}

// unknown answers a message of another number, where the packets can say so.
func (c *Conn) unknown(number byte) error {
	if u, ok := c.packets.(interface{ Unimplemented() error }); ok {
		return u.Unimplemented()
	}
	return protocolErrorf("unknown message %d", number)
}

func (c *Conn) globalRequest(p []byte) error {
	var m globalRequestMsg
	if err := ssh.Unmarshal(p, &m); err != nil {
		return protocolErrorf("malformed global request")
	}
	data := slices.Clone(m.Data)
	if m.WantReply {
		answer := []byte{msgRequestFailure}
		if c.opts.Answer != nil {
			if ok, payload := c.opts.Answer(m.Type, data); ok {
				answer = append([]byte{msgRequestSuccess}, payload...)
			}
		}
		if err := c.packets.QueuePacket(answer); err != nil {
			return err
		}
	}
	if !c.requests.push(&ssh.Request{Type: m.Type, Payload: data}) && !m.WantReply {
		return protocolErrorf("too many global requests")
	}
	return nil
}

func (c *Conn) globalReply(r reply) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.replies) == 0 {
		return nil // as OpenSSH, which ignores it
	}
	c.replies[0] <- r
	c.replies = c.replies[1:]
	return nil
}

// SendRequest sends a global request (RFC 4254, section 4). If wantReply is set
// it waits for the answer, or the end of the connection. Several may be under way.
func (c *Conn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.SendRequestContext(context.Background(), name, wantReply, payload)
}

// SendRequestContext is SendRequest with a context, whose end ends the waiting. An
// answer that comes later is dropped.
func (c *Conn) SendRequestContext(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	m := ssh.Marshal(&globalRequestMsg{Type: name, WantReply: wantReply, Data: payload})
	answer := make(chan reply, 1)
	c.sending.Lock()
	if wantReply {
		c.mu.Lock()
		if c.err != nil {
			defer c.sending.Unlock()
			defer c.mu.Unlock()
			return false, nil, c.err
		}
		c.replies = append(c.replies, answer)
		c.mu.Unlock()
	}
	err := c.packets.WritePacket(m, nil)
	c.sending.Unlock()
	if err != nil || !wantReply {
		return false, nil, err
	}
	select {
	case r := <-answer:
		return r.ok, r.data, nil
	case <-c.done:
		return false, nil, c.Err()
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

// end ends the connection with its first cause.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	channels := c.channels
	c.channels = make(map[uint32]*Channel)
	c.mu.Unlock()
	close(c.done)
	c.packets.Close()
	for _, ch := range channels {
		ch.lost()
	}
	c.opens.close()
	c.requests.close()
}

// Close ends the connection and waits for the goroutine that reads, not for the
// peer.
func (c *Conn) Close() error {
	c.end(ErrClosed)
	c.running.Wait()
	return nil
}

// Wait blocks until the connection has ended, and returns the first cause.
func (c *Conn) Wait() error {
	<-c.done
	return c.Err()
}

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns the first cause of the connection's end, nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// add gives a channel its number.
func (c *Conn) add(ch *Channel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if len(c.channels) >= maxChannels {
		return errTooManyChannels
	}
	for c.channels[c.nextID] != nil {
		c.nextID++
	}
	ch.id = c.nextID
	c.channels[ch.id] = ch
	c.nextID++
	return nil
}

// remove frees the number of a channel that both sides have closed.
func (c *Conn) remove(ch *Channel, extra int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels[ch.id] == ch {
		delete(c.channels, ch.id)
	}
	c.extra -= extra
}

// mayGrow reports whether a window may grow by n bytes, and counts them.
func (c *Conn) mayGrow(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra+n > sumOfWindows {
		return false
	}
	c.extra += n
	return true
}
