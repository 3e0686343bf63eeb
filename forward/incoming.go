package forward

import (
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

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
