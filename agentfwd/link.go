package agentfwd

import (
	"context"
	"errors"
	"io"

	"golang.org/x/crypto/ssh"
)

// A link joins one channel to one agent connection. Its two sides hand each
// other whole messages, one request and then its reply, as the protocol has no
// numbers to tell replies apart. They are apart because a read or write of an
// ssh.Channel cannot be interrupted from here, and Close must not hang on it.
type link struct {
	f     *Forwarder
	newCh ssh.NewChannel

	ready    chan error  // one value: whether the agent is there
	requests chan []byte // from the channel
	replies  chan []byte // from the agent

	ctx    context.Context // ends the link
	cancel context.CancelCauseFunc
}

// errChannelEnded is the cause of a link's end from the server's side.
var errChannelEnded = errors.New("agentfwd: channel ended")

// agentSide is a goroutine that owns the agent connection. It ends with the
// link's context, or when the agent is lost, and ends the link then.
func (l *link) agentSide() {
	defer l.f.agents.Done()
	agent, bound, err := l.f.openAgent(l.ctx)
	l.f.reached(err)
	l.ready <- err
	if err != nil {
		l.cancel(err)
		return
	}
	defer agent.Close()
	g := &gate{f: l.f, agent: agent, bound: bound}
	for {
		var msg []byte
		select {
		case <-l.ctx.Done():
			return
		case msg = <-l.requests:
		}
		reply, err := g.handle(l.ctx, msg)
		if err != nil {
			l.f.lostAgent(err)
			l.cancel(err)
			return
		}
		select {
		case <-l.ctx.Done():
			return
		case l.replies <- reply:
		}
	}
}

// channelSide is a goroutine that owns the channel. It ends when the server
// closes its direction, or the connection ends; or, between messages, with the
// link's context, at whose end the channel is closed.
func (l *link) channelSide() {
	defer l.cancel(errChannelEnded)
	if err := <-l.ready; err != nil {
		l.newCh.Reject(ssh.ConnectionFailed, "agent not available")
		l.f.release()
		return
	}
	ch, requests, err := l.newCh.Accept()
	if err != nil {
		l.f.release()
		return
	}
	context.AfterFunc(l.ctx, func() { ch.Close() })
	go l.watch(requests)
	go io.Copy(io.Discard, ch.Stderr()) // unread it would take up memory, and the window; ends with the channel
	for l.relay(ch) {
	}
}

// relay carries one request and its reply, and says whether to go on. At the
// server's end of file every request before it has had its reply.
func (l *link) relay(ch ssh.Channel) bool {
	msg, err := readMessage(ch)
	if err != nil {
		if err != io.EOF {
			l.f.log.Debug("agent channel", "error", err)
		}
		return false
	}
	select {
	case <-l.ctx.Done():
		return false
	case l.requests <- msg:
	}
	select {
	case <-l.ctx.Done():
		return false
	case reply := <-l.replies:
		return writeMessage(ch, reply) == nil
	}
}

// watch is a goroutine that answers channel requests, of which none is known.
// It ends when the channel is closed from both sides or the connection ends,
// and ends the link: a question to a person that nobody waits for goes away.
func (l *link) watch(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.WantReply {
			req.Reply(false, nil)
		}
	}
	l.f.release()
	l.cancel(errChannelEnded)
}
