package connection

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"
)

// packetPipe is one end of a pipe of packets in memory.
type packetPipe struct {
	in, out chan []byte
	done    chan struct{}
	once    *sync.Once
}

func newPacketPipe() (a, b *packetPipe) {
	x, y, done, once := make(chan []byte, 1000), make(chan []byte, 1000), make(chan struct{}), new(sync.Once)
	return &packetPipe{x, y, done, once}, &packetPipe{y, x, done, once}
}

func (p *packetPipe) ReadPacket() ([]byte, error) {
	select {
	case m := <-p.in:
		return m, nil
	case <-p.done:
		return nil, io.EOF
	}
}

func (p *packetPipe) WritePacket(head, body []byte) error {
	return p.QueuePacket(append(bytes.Clone(head), body...))
}

func (p *packetPipe) QueuePacket(m []byte) error {
	select {
	case p.out <- m:
		return nil
	case <-p.done:
		return io.EOF
	}
}

func (p *packetPipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// pair returns two connected ends.
func pair(t *testing.T, opts Options) (client, server *Conn) {
	a, b := newPacketPipe()
	client, server = New(a, opts), New(b, opts)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// echo accepts every channel and sends back what it reads.
func echo(server *Conn) {
	for n := range server.Channels() {
		if n.ChannelType() != "echo" {
			n.Reject(ssh.UnknownChannelType, "no")
			continue
		}
		ch, reqs, err := n.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		go func() {
			io.Copy(ch, ch)
			ch.SendRequest("exit-status", false, []byte{0, 0, 0, 7})
			ch.Close()
		}()
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Options{})
	go echo(server)
	ch, reqs, err := client.OpenChannel("echo", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB: more than the window
	go func() {
		ch.Write(text)
		ch.CloseWrite()
	}()
	got, err := io.ReadAll(ch)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r := <-reqs
	if r == nil || r.Type != "exit-status" || !bytes.Equal(r.Payload, []byte{0, 0, 0, 7}) {
		t.Errorf("request %+v", r)
	}
	if _, open := <-reqs; open {
		t.Error("another request")
	}
	if _, err := ch.Write([]byte("x")); !errors.Is(err, io.EOF) {
		t.Errorf("write after the end: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Options{})
	go echo(server)
	_, _, err := client.OpenChannel("other", nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.UnknownChannelType || refused.Message != "no" {
		t.Errorf("error %v", err)
	}
}

// TestGlobalRequests has many under way at once: each gets its own answer.
func TestGlobalRequests(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Options{Answer: func(name string, payload []byte) (bool, []byte) {
		return name == "yes", payload
	}})
	go ssh.DiscardRequests(server.Requests())
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			name := "no"
			if i%2 == 0 {
				name = "yes"
			}
			ok, data, err := client.SendRequest(name, true, []byte{byte(i)})
			if err != nil || ok != (i%2 == 0) || ok && !bytes.Equal(data, []byte{byte(i)}) {
				t.Errorf("request %d: %v %v %v", i, ok, data, err)
			}
		})
	}
	all.Wait()
}

// TestContext ends an open and a request that are never answered.
func TestContext(t *testing.T) {
	t.Parallel()
	a, b := newPacketPipe()
	client := New(a, Options{})
	defer client.Close()
	defer b.Close()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, _, err := client.OpenChannelContext(ctx, "x", nil); !errors.Is(err, cause) {
		t.Errorf("open: %v", err)
	}
	if _, _, err := client.SendRequestContext(ctx, "x", true, nil); !errors.Is(err, cause) {
		t.Errorf("request: %v", err)
	}
	// A confirmation that comes late is answered with CLOSE.
	b.ReadPacket()
	b.ReadPacket()
	b.QueuePacket(ssh.Marshal(&channelOpenConfirmMsg{Recipient: 0, Sender: 5, Window: 1, MaxPacket: 1}))
	m, err := b.ReadPacket()
	if err != nil || !bytes.Equal(m, channelMessage(msgChannelClose, 5)) {
		t.Errorf("message %v, %v", m, err)
	}
}

// TestLost ends everything that waits when the packets end.
func TestLost(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Options{})
	go echo(server)
	ch, reqs, err := client.OpenChannel("echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	ends := make(chan error, 3)
	go func() { _, err := ch.Read(make([]byte, 1)); ends <- err }()
	go func() { _, _, err := client.SendRequest("never", true, nil); ends <- err }()
	go func() { _, err := ch.SendRequest("never", true, nil); ends <- err }()
	server.Close()
	for range 3 {
		if err := <-ends; err == nil {
			// Requests may have been answered before the end.
			t.Log("answered before the end")
		}
	}
	if _, open := <-reqs; open {
		t.Error("a request after the end")
	}
	if err := client.Wait(); !errors.Is(err, io.EOF) {
		t.Errorf("Wait: %v", err)
	}
}

// TestWindow checks that a reader that does not read bounds what the writer can
// send, and that one that keeps up gets a larger window.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPacketPipe()
		client, server := New(a, Options{}), New(b, Options{})
		defer server.Close()
		defer client.Close()
		accepted := make(chan ssh.Channel, 1)
		go func() {
			n := <-server.Channels()
			ch, _, _ := n.Accept()
			accepted <- ch
		}()
		ch, _, err := client.OpenChannel("x", nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		go func() {
			p := make([]byte, 1<<10)
			for {
				n, err := ch.Write(p)
				sent += n
				if err != nil {
					return
				}
			}
		}()
		far := <-accepted
		synctest.Wait()
		if sent != initialWindow {
			t.Errorf("%d bytes sent to a reader that does not read", sent)
		}
		if c := far.(*Channel); c.window != initialWindow {
			t.Errorf("window %d", c.window)
		}
		ch.Close()
		synctest.Wait()
	})
}

// hostile are messages that end the connection, with what they need before.
func TestHostile(t *testing.T) {
	t.Parallel()
	data := func(id uint32, n int) []byte {
		m := append(channelMessage(msgChannelData, id), 0, 0, 0, 0)
		putBE32(m[5:], uint32(n))
		return append(m, make([]byte, n)...)
	}
	confirm := ssh.Marshal(&channelOpenConfirmMsg{Recipient: 0, Sender: 0, Window: 1 << 31, MaxPacket: 100})
	adjust := append(channelMessage(msgChannelWindowAdjust, 0), 0x80, 0, 0, 0)
	for _, test := range []struct {
		name string
		open bool
		send [][]byte
	}{
		{"data for no channel", false, [][]byte{data(3, 1)}},
		{"data before the confirmation", false, [][]byte{data(0, 1)}},
		{"window before the confirmation", false, [][]byte{adjust}},
		{"close before the confirmation", false, [][]byte{channelMessage(msgChannelClose, 0)}},
		{"two confirmations", true, [][]byte{confirm}},
		{"a refusal after the confirmation", true, [][]byte{ssh.Marshal(&channelOpenFailureMsg{Recipient: 0})}},
		{"data of a wrong length", true, [][]byte{append(channelMessage(msgChannelData, 0), 0, 0, 0, 9, 1)}},
		{"data without a length", true, [][]byte{channelMessage(msgChannelData, 0)}},
		{"extended data without a type", true, [][]byte{channelMessage(msgChannelExtendedData, 0)}},
		{"data beyond the window", true, [][]byte{data(0, initialWindow), data(0, 1)}},
		{"a window that overflows", true, [][]byte{adjust, adjust}},
		{"an answer to no request", true, [][]byte{channelMessage(msgChannelSuccess, 0)}},
		{"a short request", true, [][]byte{channelMessage(msgChannelRequest, 0)}},
		{"a second close", true, [][]byte{channelMessage(msgChannelClose, 0), channelMessage(msgChannelClose, 0)}},
		{"a short global request", true, [][]byte{{msgGlobalRequest, 0}}},
		{"a short open", true, [][]byte{{msgChannelOpen, 0}}},
		{"a short message", true, [][]byte{{msgChannelEOF, 0}}},
		{"an unknown message", true, [][]byte{{120}}},
	} {
		a, b := newPacketPipe()
		client := New(a, Options{})
		opened := make(chan error, 1)
		go func() {
			_, _, err := client.OpenChannel("x", nil)
			opened <- err
		}()
		b.ReadPacket()
		if test.open {
			b.QueuePacket(confirm)
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range test.send {
			b.QueuePacket(m)
		}
		var bad *ProtocolError
		if err := client.Wait(); !errors.As(err, &bad) {
			t.Errorf("%s: %v", test.name, err)
		}
		client.Close()
	}
}

// TestBounds sends more opens and requests than are kept.
func TestBounds(t *testing.T) {
	t.Parallel()
	a, b := newPacketPipe()
	client := New(a, Options{})
	defer client.Close()
	for i := range uint32(2 * maxOpens) {
		b.QueuePacket(ssh.Marshal(&channelOpenMsg{Type: "x", Sender: i, Window: 1, MaxPacket: 1}))
	}
	for range maxOpens {
		m, err := b.ReadPacket()
		if err != nil || m[0] != msgChannelOpenFailure {
			t.Fatalf("message %v, %v", m, err)
		}
	}
	go func() {
		for range 10 * maxRequests {
			b.QueuePacket(ssh.Marshal(&globalRequestMsg{Type: "x"}))
		}
	}()
	var bad *ProtocolError
	if err := client.Wait(); !errors.As(err, &bad) {
		t.Errorf("error %v", err)
	}
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	var b buffer
	var in, out byte
	for i := range 5000 {
		p := make([]byte, i*7%900)
		for j := range p {
			p[j], in = in, in+1
		}
		b.write(p)
		q := make([]byte, i*13%1000)
		for _, ch := range q[:b.read(q)] {
			if ch != out {
				t.Fatalf("round %d: byte %d, want %d", i, ch, out)
			}
			out++
		}
	}
}
