package client

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gossh-project/gossh/hostkey"
)

// channelTypes passes channels that the server opens to their handlers.
type channelTypes struct {
	mu       sync.Mutex
	handlers map[string]func(ssh.NewChannel)
	closed   bool

	once   sync.Once
	ssh    *ssh.Client // created by sshClient
	others chan ssh.NewChannel
	reqs   chan *ssh.Request
}

func newChannelTypes() *channelTypes {
	return &channelTypes{handlers: make(map[string]func(ssh.NewChannel))}
}

func (t *channelTypes) handle(name string, h func(ssh.NewChannel)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, taken := t.handlers[name]; taken {
		return false
	}
	t.handlers[name] = h
	return true
}

// handles reports whether something may serve channels of a type. It is not
// known what an x/crypto client serves.
func (t *channelTypes) handles(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handlers[name] != nil || t.others != nil
}

// serve passes ch to the handler of its type, or to the x/crypto client if there
// is one. Otherwise it rejects ch.
func (t *channelTypes) serve(ch ssh.NewChannel) {
	t.mu.Lock()
	h := t.handlers[ch.ChannelType()]
	others := t.others
	t.mu.Unlock()
	switch {
	case h != nil:
		h(ch)
	case others != nil:
		others <- ch
	default:
		ch.Reject(ssh.UnknownChannelType, "unknown channel type: "+ch.ChannelType())
	}
}

// sshClient returns the x/crypto client, which it creates at the first call. The
// client's loop over channels ends with close.
func (t *channelTypes) sshClient(conn ssh.Conn) *ssh.Client {
	t.once.Do(func() {
		others, reqs := make(chan ssh.NewChannel), make(chan *ssh.Request)
		t.mu.Lock()
		if t.closed {
			close(others)
			close(reqs)
		} else {
			t.others, t.reqs = others, reqs
		}
		t.mu.Unlock()
		t.ssh = ssh.NewClient(conn, others, reqs)
	})
	return t.ssh
}

// close ends the x/crypto client's channels and requests. No channel may come
// after it.
func (t *channelTypes) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.others != nil {
		close(t.others)
		close(t.reqs)
		t.others, t.reqs = nil, nil
	}
}

// serveChannels serves channels that the server opens. It ends with the
// connection.
func (c *Client) serveChannels(chans <-chan ssh.NewChannel) {
	defer c.work.Done()
	defer c.channels.close()
	for ch := range chans {
		if c.timeouts != nil {
			ch = timedNewChannel{ch, c.timeouts}
		}
		if c.Restricted() {
			ch.Reject(ssh.Prohibited, "forwarding is disabled")
			continue
		}
		c.channels.serve(ch)
	}
}

// serveRequests answers global requests. It ends with the connection. The
// server's keepalive requests are answered with a failure, which is enough.
func (c *Client) serveRequests(reqs <-chan *ssh.Request) {
	defer c.work.Done()
	updated := false
	for r := range reqs {
		c.d.debugf("client_input_global_request: rtype %.200s want_reply %d", r.Type, btoi(r.WantReply))
		if r.Type == "hostkeys-00@openssh.com" && c.d.keys.checker != nil && !updated {
			updated = true // once for a connection, as in OpenSSH
			c.work.Add(1)
			go c.updateHostKeys(r.Payload)
		}
		r.Reply(false, nil)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// updateHostKeys does what UpdateHostKeys asks for. It is a goroutine of its
// own, since its answer comes only if requests are read meanwhile, and ends with
// that answer.
func (c *Client) updateHostKeys(payload []byte) {
	defer c.work.Done()
	h := c.d.keys
	err := h.checker.Update(c.ctx, h.verifier, hostkey.UpdateRequest{
		Payload:          payload,
		SessionID:        c.conn.SessionID(),
		Algorithms:       c.d.cfg.HostKeyAlgorithms,
		HostKeyAlgorithm: c.d.auth.hostKeyAlgorithm,
		Prove:            c.proveHostKeys,
	})
	if err != nil {
		c.d.debugf("UpdateHostKeys: %v", err)
	}
}

// proveHostKeys asks the server to prove that it holds keys that are not in
// known_hosts.
func (c *Client) proveHostKeys(_ context.Context, payload []byte) ([]byte, error) {
	ok, reply, err := c.conn.SendRequest("hostkeys-prove-00@openssh.com", true, payload)
	if err == nil && !ok {
		err = errors.New("client: the server did not prove its host keys")
	}
	return reply, err
}
