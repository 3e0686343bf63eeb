package agentfwd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/crypto/ssh"
)

// ChannelType is the type of the channels that a server opens to the forwarded
// agent.
const ChannelType = "auth-agent@openssh.com"

// RequestType is the channel request for agent forwarding. It has no payload.
const RequestType = "auth-agent-req@openssh.com"

// DefaultMaxChannels is the default of ForwarderConfig.MaxChannels.
const DefaultMaxChannels = 256

// ForwarderConfig is the configuration of a Forwarder. The zero value forwards the
// agent of SSH_AUTH_SOCK, without a binding and without a policy.
type ForwarderConfig struct {
	// Source names an agent: it is the value of IdentityAgent, or of ForwardAgent
	// if that is neither yes nor no (ssh_config(5)). The zero value is the agent
	// of SSH_AUTH_SOCK.
	Source Source
	// Choose, if set, is asked at each channel which agent it gets, in place
	// of Source. A channel keeps its agent.
	Choose func() Source
	// Agent tunes the connections to it. Its Logger is the Forwarder's too.
	Agent Options
	// Binding names the server to the agent. Without one (nil), or with an
	// agent that does not take it, the server's own session-bind requests are
	// refused, as the first of them would pass for ours, and so keys that are
	// restricted to hosts cannot be used.
	Binding *Binding
	// Host is the server's name for Use.Host.
	Host string
	// Policy restricts what a remote host can do with a forwarded agent, which
	// OpenSSH cannot. With the zero value the host can list and sign with every
	// key, and all other requests are refused. A nil *Policy allows everything, as
	// ssh does.
	//
	// session-bind@openssh.com is always allowed. The ssh on the remote host names
	// the next server with it. Without it, a key that is restricted to a chain of
	// hosts could not be used beyond the first. It allows nothing more, since our
	// own binding came first: the agent then allows only what the whole chain
	// allows.
	Policy *Policy
	// MaxChannels bounds the channels open at a time. 0 means
	// DefaultMaxChannels.
	MaxChannels int
	// Warn is told, each time once: that the agent cannot be reached (an
	// *UnavailableError or ErrNoAgent; again only after it could), that it was
	// lost while in use, and that the server opened a channel that nobody
	// asked for (ErrNotRequested). It is called from the goroutine concerned.
	// nil means no warning.
	Warn func(err error)
}

// Forwarder serves the agent channels of one SSH connection.
type Forwarder struct {
	cfg    ForwarderConfig
	log    *slog.Logger
	asking chan struct{} // holds one token while Policy.Confirm runs

	ctx    context.Context // ends at Close
	cancel context.CancelCauseFunc
	agents sync.WaitGroup // the agent sides of links

	mu      sync.Mutex
	open    int  // channels that are open or being opened
	allowed bool // forwarding was asked for
	closed  bool
	down    bool // the agent could not be reached last time, and Warn knows
	lost    bool // Warn was told that the agent went away
	intrude bool // Warn was told of a channel not asked for
}

// NewForwarder returns a Forwarder. It refuses all channels until Allow is called.
func NewForwarder(config ForwarderConfig) *Forwarder {
	f := &Forwarder{cfg: config, asking: make(chan struct{}, 1)}
	f.cfg.Agent = config.Agent.withDefaults()
	f.cfg.MaxChannels = cmp.Or(config.MaxChannels, DefaultMaxChannels)
	f.log = f.cfg.Agent.Logger
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	return f
}

// Allow lets the Forwarder accept channels. It must be called before agent
// forwarding is requested. ssh does not request forwarding if no agent answers at
// that time, which Dial finds out.
func (f *Forwarder) Allow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.allowed = true
}

// Allowed reports whether Allow was called.
func (f *Forwarder) Allowed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allowed
}

// Serve serves each channel that it receives from chans, such as the result of
// ssh.Client.HandleChannelOpen. It returns when chans is closed, at the end of the
// connection.
func (f *Forwarder) Serve(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		f.ServeChannel(ch)
	}
}

// ServeChannel accepts or rejects a channel, and passes messages between it and a
// new connection to the agent. It does not block: goroutines serve the channel.
// They end with the channel, with the connection to the agent, or at Close.
func (f *Forwarder) ServeChannel(ch ssh.NewChannel) {
	reason, text, intruder := f.admit()
	if intruder {
		f.warn(ErrNotRequested)
	}
	if text != "" {
		f.log.Debug("agent channel rejected", "reason", text)
		ch.Reject(reason, text)
		return
	}
	l := &link{
		f:        f,
		newCh:    ch,
		ready:    make(chan error, 1),
		requests: make(chan []byte),
		replies:  make(chan []byte),
	}
	l.ctx, l.cancel = context.WithCancelCause(f.ctx)
	go l.agentSide()
	go l.channelSide()
}

// admit counts a channel in, or gives the text that says why not. intruder is
// true for the first channel that nobody asked for.
func (f *Forwarder) admit() (reason ssh.RejectionReason, text string, intruder bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return ssh.Prohibited, "agent forwarding has ended", false
	case !f.allowed:
		intruder = !f.intrude
		f.intrude = true
		return ssh.Prohibited, "agent forwarding was not requested", intruder
	case f.open >= f.cfg.MaxChannels:
		return ssh.ResourceShortage, "too many agent channels", false
	}
	f.open++
	f.agents.Add(1)
	return 0, "", false
}

// release counts a channel out: it was rejected, or the server has closed it. A
// server that does not close its channels gets no more of them.
func (f *Forwarder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}

// Close closes all channels and connections to the agent, rejects later channels,
// and waits for the goroutines that use the agent or ask a person. It does not
// wait for those that read or write a channel, which end when the server confirms
// the close of the channel, or with the SSH connection.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel(ErrClosed)
	f.agents.Wait()
	return nil
}

// openAgent makes the agent connection of one channel. It says whether the
// agent knows which server it is for.
func (f *Forwarder) openAgent(ctx context.Context) (agent *Conn, bound bool, err error) {
	source := f.cfg.Source
	if f.cfg.Choose != nil {
		source = f.cfg.Choose()
	}
	agent, err = Dial(ctx, source, &f.cfg.Agent)
	if err != nil {
		return nil, false, err
	}
	if f.cfg.Binding == nil {
		return agent, false, nil
	}
	// First of all: nothing of the server's may reach an unbound connection.
	err = agent.Bind(ctx, *f.cfg.Binding, true)
	switch {
	case err == nil:
		return agent, true, nil
	case errors.Is(err, ErrRefused):
		f.log.Debug("agent does not take session-bind", "error", err)
		return agent, false, nil
	}
	agent.Close()
	return nil, false, err
}

// reached notes whether the agent could be reached, and warns once if not.
func (f *Forwarder) reached(err error) {
	f.mu.Lock()
	known := f.down
	f.down = err != nil
	f.mu.Unlock()
	if err == nil {
		return
	}
	f.log.Debug("forwarded agent not available", "error", err)
	if !known && f.ctx.Err() == nil {
		f.warn(err)
	}
}

// lostAgent warns, once in all, of an agent that went away while in use. (Not
// more often, as a server can bring it about, with a message that the agent
// does not like.)
func (f *Forwarder) lostAgent(err error) {
	f.log.Debug("forwarded agent lost", "error", err)
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) {
		return // the channel or the Forwarder ended first
	}
	f.mu.Lock()
	known := f.lost || f.down
	f.lost, f.down = true, true
	f.mu.Unlock()
	if !known {
		f.warn(err)
	}
}

// warn calls the callback, with no lock held.
func (f *Forwarder) warn(err error) {
	if f.cfg.Warn != nil {
		f.cfg.Warn(err)
	}
}

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
