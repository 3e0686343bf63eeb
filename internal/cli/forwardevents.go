package cli

import (
	"fmt"
	"net"
	"strconv"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/sshconfig"
)

// debugf prints a line of -v.
func (c *console) debugf(format string, args ...any) {
	c.printf(sshconfig.LogDebug1, "debug1: "+format, args...)
}

// forwardAsked says which forwarding the configuration asks for.
func (p *program) forwardAsked(spec forward.Spec) {
	if spec.Kind == forward.Remote {
		p.console.debugf("Remote connections from %s forwarded to local address %s", listenText(spec.Listen, "LOCALHOST"), targetText(spec))
		return
	}
	where := "LOCALHOST"
	if p.cfg.GatewayPorts {
		where = "*"
	}
	p.console.debugf("Local connections to %s forwarded to remote address %s", listenText(spec.Listen, where), targetText(spec))
}

// listenText is a listening address as ssh prints it; where stands for none.
func listenText(a forward.Addr, where string) string {
	switch {
	case a.Socket != "":
		return a.Socket + ":-2"
	case a.Host == "" && !a.EmptyHost:
		return fmt.Sprintf("%s:%d", where, a.Port)
	}
	return fmt.Sprintf("%s:%d", a.Host, a.Port)
}

// remoteForwardAnswered says what a server answered that was asked to listen.
func (p *program) remoteForwardAnswered(what string, spec forward.Spec) {
	listen := strconv.Itoa(spec.Listen.Port)
	if spec.Listen.Socket != "" || spec.Listen.Host != "" || spec.Listen.EmptyHost {
		listen = listenText(spec.Listen, "")
	}
	p.console.debugf("%s for: listen %s, connect %s", what, listen, targetText(spec))
}

// passengerForwardOpened says what a server answered to a client of the master.
func (p *program) passengerForwardOpened(spec forward.Spec, f *forward.Forward) {
	if spec.Kind != forward.Remote {
		return // the listeners have been named
	}
	asked := spec
	asked.Listen.Host, asked.Listen.EmptyHost = "", false // ssh leaves it out here
	p.remoteForwardAnswered("mux_confirm_remote_forward: success", asked)
	if spec.Listen.Socket == "" && spec.Listen.Port == 0 {
		port := f.Spec().Listen.Port
		p.console.debugf("Allocated port %d for mux remote forward to %s", port, targetText(spec))
		p.updatedPort(port, spec)
	}
}

// updatedPort says which port the server chose, as ssh notes it for later.
func (p *program) updatedPort(port int, spec forward.Spec) {
	host, to := targetHostPort(spec)
	p.console.debugf("Updating allowed port %d for forwarding to host %s port %d", port, host, to)
}

// targetHostPort is targetText in its two halves.
func targetHostPort(spec forward.Spec) (host string, port int) {
	switch to := spec.Connect; {
	case spec.SOCKS():
		return "socks", 0
	case to.Socket != "":
		return to.Socket, socketPort
	default:
		return to.Host, to.Port
	}
}

// socketPort is the port that ssh gives to the path of a socket.
const socketPort = -2

// forwardEvent words what happens to a forwarding.
func (p *program) forwardEvent(e forward.Event) {
	if p.console.getLevel() < sshconfig.LogDebug1 {
		return
	}
	switch e := e.(type) {
	case forward.ListenerOpened:
		p.listenerOpened(e)
	case forward.ListenerClosed:
		_, name := listenerNames(e.Addr)
		p.channelFreed(e.Channel, name, e.Open)
	case forward.ConnStarted:
		p.connStarted(e)
	case forward.ConnConnected:
		if e.Spec.Kind == forward.Remote {
			p.console.debugf("confirm %s", remoteChannelType(e.Spec))
			p.console.debugf("channel %d: connected to %s", e.Channel, addrText(e.Target))
		}
	case forward.ConnEnded:
		p.channelFreed(e.Channel, connName(e), e.Open)
	}
}

func (p *program) listenerOpened(e forward.ListenerOpened) {
	kind, name := listenerNames(e.Addr)
	if tcp, ok := e.Addr.(*net.TCPAddr); ok {
		p.console.debugf("Local forwarding listening on %s port %d.", tcp.AddrPort().Addr().Unmap(), tcp.Port)
	} else {
		p.console.debugf("Local forwarding listening on path %s.", e.Spec.Listen.Socket)
	}
	p.channelNew(e.Channel, kind, name)
}

// listenerNames are ssh's type of a listener's channel, and its name.
func listenerNames(at net.Addr) (kind, name string) {
	if at.Network() == "unix" {
		return "unix-listener", "unix listener"
	}
	return "port-listener", "port listener"
}

// connStarted comes when a connection was accepted here, or on the server.
func (p *program) connStarted(e forward.ConnStarted) {
	if e.Spec.Kind != forward.Remote {
		host, port := targetHostPort(e.Spec)
		p.console.debugf("Connection to port %d forwarding to %s port %d requested.", listeningPort(e.Spec), host, port)
		kind := directChannelType(e.Spec.Connect)
		if e.Spec.Kind == forward.Dynamic {
			kind = "dynamic-tcpip"
		}
		p.channelNew(e.Channel, kind, kind)
		return
	}
	kind := remoteChannelType(e.Spec)
	p.console.debugf("client_input_channel_open: ctype %s", kind)
	if e.Spec.Listen.Socket != "" {
		p.console.debugf("client_request_forwarded_streamlocal: request: %.1000s", e.Spec.Listen.Socket)
		p.channelNew(e.Channel, kind, "forwarded-streamlocal")
		return
	}
	p.console.debugf("client_request_forwarded_tcpip: listen %s, originator %s", endText(e.Local), endText(e.Origin))
	host, _ := splitEnd(e.Origin)
	p.channelNew(e.Channel, kind, host)
}

// connName is what ssh calls a connection in the end.
func connName(e forward.ConnEnded) string {
	switch {
	case e.Spec.Kind == forward.Remote && e.Spec.Listen.Socket != "":
		return "forwarded-streamlocal"
	case e.Spec.Kind == forward.Remote:
		host, _ := splitEnd(e.Origin)
		return host
	case e.Target == forward.Addr{}:
		return "dynamic-tcpip"
	}
	return fmt.Sprintf("%s: listening port %d for %s, connect from %s to %s", directChannelType(e.Target),
		listeningPort(e.Spec), addrText(e.Target), endText(e.Origin), endText(e.Local))
}

// listeningPort returns the port of a local listener.
func listeningPort(spec forward.Spec) int {
	if spec.Listen.Socket != "" {
		return socketPort
	}
	return spec.Listen.Port
}

// addrText is a target as ssh prints it in the names of channels.
func addrText(a forward.Addr) string {
	if a.Socket != "" {
		return fmt.Sprintf("%s port %d", a.Socket, socketPort)
	}
	return fmt.Sprintf("%s port %d", a.Host, a.Port)
}

// splitEnd is one end of a connection; some come from the server.
func splitEnd(a net.Addr) (host, port string) {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		host, port = a.String(), "0" // a socket
		if host == "@" {
			host = "" // without a name
		}
	}
	return fmt.Sprintf("%.200s", host), port
}

func endText(a net.Addr) string {
	host, port := splitEnd(a)
	return host + " port " + port
}

// directChannelType is the type of the channel to a target (RFC 4254, section
// 7.2; OpenSSH's PROTOCOL, section 2.4).
func directChannelType(to forward.Addr) string {
	if to.Socket != "" {
		return "direct-streamlocal@openssh.com"
	}
	return "direct-tcpip"
}

func remoteChannelType(spec forward.Spec) string {
	if spec.Listen.Socket != "" {
		return "forwarded-streamlocal@openssh.com"
	}
	return "forwarded-tcpip"
}

// stdioAsked and stdioEnded are the beginning and the end of -W.
func (p *program) stdioAsked(to forward.Addr) {
	p.console.debugf("channel_connect_stdio_fwd: %s", listenText(to, ""))
}

func (p *program) stdioEnded(to forward.Addr, free func() int, err error) {
	if err == nil {
		p.console.debugf("stdio forwarding: done")
		return
	}
	p.channelFreed(p.channel, fmt.Sprintf("direct-tcpip: listening port 0 for %s, connect from 127.0.0.1 port 65535 to UNKNOWN port 65536",
		addrText(to)), free())
}

// channelNew and channelFreed are the beginning and the end of what ssh has a
// channel for. Open counts the channels, the one that ends included.
func (p *program) channelNew(number int, kind, name string) {
	p.console.debugf("channel %d: new %s [%s] (inactive timeout: %d)", number, kind, name, p.inactiveTimeout(kind))
}

func (p *program) channelFreed(number int, name string, open int) {
	p.console.debugf("channel %d: free: %s, nchannels %d", number, name, open)
}

// inactiveTimeout is ChannelTimeout's for a type, in seconds.
func (p *program) inactiveTimeout(kind string) int {
	for _, t := range p.cfg.ChannelTimeout {
		if t.Matches(kind) {
			return int(t.Interval.Seconds())
		}
	}
	return 0
}
