package forward

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// entry is one listener on the server.
type entry struct {
	host string // as on the wire
	addr Addr   // as it was asked for; Port is set when the server has chosen one

	// take gets a channel that belongs here, and must not block.
	take func(incoming)
}

// registry finds the listener for a channel. Entries are made before the server
// is asked, so that a connection that comes with the answer finds its own.
type registry struct {
	mu      sync.Mutex
	entries []*entry
	held    int
	changed chan struct{} // closed and renewed when an entry gets its port or goes
}

// maxHeld is how many channels may wait for a port to be known. More than a few
// can only come from a server that makes ports up.
const maxHeld = 64

func (r *registry) add(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
}

func (r *registry) remove(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = slices.DeleteFunc(r.entries, func(o *entry) bool { return o == e })
	r.broadcast()
}

// resolve sets the port that the server has chosen.
func (r *registry) resolve(e *entry, port int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.addr.Port = port
	r.broadcast()
}

func (r *registry) broadcast() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// find returns the entry for a channel. If there is none yet but a port is still
// to be chosen, it returns a Go channel that is closed when to ask again.
func (r *registry) find(listen Addr) (*entry, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.match(listen); e != nil {
		return e, nil
	}
	for _, e := range r.entries {
		if listen.Socket == "" && e.addr.Socket == "" && e.addr.Port == 0 {
			if r.changed == nil {
				r.changed = make(chan struct{})
			}
			return nil, r.changed
		}
	}
	return nil, nil
}

// match finds the listener that a channel belongs to. OpenSSH wants the address
// to be echoed exactly as it was sent; other servers echo what they bound. So
// port first, then of several listeners on one port the one with that address,
// then one that means the same, then one for every address.
func (r *registry) match(listen Addr) *entry {
	var found []*entry
	for _, e := range r.entries {
		if e.addr.Socket != "" || listen.Socket != "" {
			if e.addr.Socket == listen.Socket {
				return e
			}
			continue
		}
		if e.addr.Port == listen.Port {
			found = append(found, e)
		}
	}
	if len(found) < 2 {
		return first(found)
	}
	for _, same := range []func(e *entry) bool{
		func(e *entry) bool { return e.host == listen.Host },
		func(e *entry) bool { return canonical(e.host) == canonical(listen.Host) },
		func(e *entry) bool { return canonical(e.host) == "*" },
	} {
		if i := slices.IndexFunc(found, same); i >= 0 {
			return found[i]
		}
	}
	return nil
}

func first(found []*entry) *entry {
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// canonical maps the many names of every interface and of loopback to one each.
func canonical(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || host == "*" || err == nil && ip.IsUnspecified():
		return "*"
	case host == "localhost" || err == nil && ip.IsLoopback():
		return "localhost"
	}
	return host
}

// ServeChannel takes a channel of type forwarded-tcpip or
// forwarded-streamlocal@openssh.com that the server asks to open, and accepts
// or rejects it. Whoever owns the SSH connection hands each of them in; it
// does not block on the connection's target.
func (f *Forwarder) ServeChannel(ch ssh.NewChannel) {
	if !f.admit() {
		f.log.Warn("too many forwarded connections from the server", "limit", maxIncoming)
		ch.Reject(ssh.ResourceShortage, "too many connections")
		return
	}
	in, err := f.parseIncoming(ch)
	if err != nil {
		f.log.Warn("bad channel open from the server", "type", ch.ChannelType(), "error", err)
		in.reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	e, again := f.registry.find(in.listen)
	switch {
	case e != nil:
		e.take(in)
	case again != nil && f.registry.hold(1):
		go f.serveLater(in)
	default:
		f.rejectUnknown(in)
	}
}

func (f *Forwarder) rejectUnknown(in incoming) {
	f.log.Warn("the server forwards a connection that nobody asked for", "listen", in.listen.String())
	in.reject(ssh.Prohibited, "no such forwarding")
}

// hold counts the channels that wait for a port; it is false when there are
// too many.
func (r *registry) hold(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 && r.held >= maxHeld {
		return false
	}
	r.held += n
	return true
}

// serveLater serves a channel that came before its port was known: the server's
// answer and the channel reach us on different ways. It ends when no port is
// outstanding, or with the SSH connection.
func (f *Forwarder) serveLater(in incoming) {
	defer f.registry.hold(-1)
	for {
		e, again := f.registry.find(in.listen)
		if e != nil {
			e.take(in)
			return
		}
		if again == nil {
			f.rejectUnknown(in)
			return
		}
		select {
		case <-again:
		case <-f.ctx.Done():
			return
		}
	}
}

// tcpAddr is a *net.TCPAddr for a literal address, and otherwise something that
// says the same, so that it can be dialed again.
func tcpAddr(host string, port int) net.Addr {
	if ip, err := netip.ParseAddr(host); err == nil {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
	}
	return hostAddr(net.JoinHostPort(host, strconv.Itoa(port)))
}

// hostAddr is a TCP address with a name in it, which only the server resolves.
type hostAddr string

func (a hostAddr) Network() string { return "tcp" }
func (a hostAddr) String() string  { return string(a) }

// maxIncoming bounds the channels that a server may have open towards us for
// all forwardings of a connection. Each costs about 100 KB here. An sshd holds
// 1024 descriptors unless it is configured for more, so a server that forwards
// honestly stays far below it.
const maxIncoming = 4096

// incoming is a channel that the server asks to open, with its payload parsed.
// It counts towards maxIncoming from admit until reject, or until the stream
// that accept returns has ended.
type incoming struct {
	forwarder *Forwarder
	ch        ssh.NewChannel
	listen    Addr // where the server says it accepted the connection
	origin    net.Addr
}

// bound is the address on the server that was connected to, in its words.
func (in incoming) bound() net.Addr {
	if in.listen.Socket != "" {
		return &net.UnixAddr{Name: in.listen.Socket, Net: "unix"}
	}
	return tcpAddr(in.listen.Host, in.listen.Port)
}

// admit counts a channel in, and reports false if there are too many.
func (f *Forwarder) admit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.incoming >= maxIncoming {
		return false
	}
	f.incoming++
	return true
}

// release counts a channel out.
func (f *Forwarder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.incoming--
}

// accept confirms the channel.
func (in incoming) accept() (*stream, error) {
	ch, reqs, err := in.ch.Accept()
	if err != nil {
		in.forwarder.release()
		return nil, err
	}
	return in.forwarder.newStream(ch, reqs, in.forwarder.release), nil
}

// reject refuses the channel.
func (in incoming) reject(reason ssh.RejectionReason, text string) {
	in.ch.Reject(reason, text)
	in.forwarder.release()
}

// parseIncoming reads the payload of a channel open.
func (f *Forwarder) parseIncoming(ch ssh.NewChannel) (incoming, error) {
	in := incoming{forwarder: f, ch: ch}
	switch t := ch.ChannelType(); t {
	case typeForwardedTCP:
		var p tcpPayload
		if err := ssh.Unmarshal(ch.ExtraData(), &p); err != nil {
			return in, err
		}
		if p.Port == 0 || p.Port > 65535 || p.OriginPort > 65535 {
			return in, fmt.Errorf("forward: port out of range")
		}
		in.listen = Addr{Host: p.Host, Port: int(p.Port)}
		in.origin = tcpAddr(p.OriginHost, int(p.OriginPort))
	case typeForwardedSocket:
		var p forwardedSocketPayload
		if err := ssh.Unmarshal(ch.ExtraData(), &p); err != nil {
			return in, err
		}
		if p.Path == "" {
			return in, fmt.Errorf("forward: no socket path")
		}
		in.listen = Addr{Socket: p.Path}
		in.origin = &net.UnixAddr{Net: "unix"}
	default:
		return in, fmt.Errorf("forward: channel type %q", t)
	}
	return in, nil
}
