package message

import (
	"fmt"
	"net"
	"strconv"

	"github.com/gossh-project/gossh/forward"
	"github.com/gossh-project/gossh/mux"
	"github.com/gossh-project/gossh/sshconfig"
)

// ForwardRequested prints a forwarding of the configuration.
func (p *Printer) ForwardRequested(spec forward.Spec) {
	if spec.Kind == forward.Remote {
		p.Debugf("Remote connections from %s forwarded to local address %s", listenText(spec.Listen, "LOCALHOST"), targetText(spec))
		return
	}
	where := "LOCALHOST"
	if p.Config.GatewayPorts {
		where = "*"
	}
	p.Debugf("Local connections to %s forwarded to remote address %s", listenText(spec.Listen, where), targetText(spec))
}

// listenText returns a listening address as ssh prints it. where replaces an
// empty host.
func listenText(a forward.Addr, where string) string {
	switch {
	case a.Socket != "":
		return a.Socket + ":-2"
	case a.Host == "" && !a.EmptyHost:
		return fmt.Sprintf("%s:%d", where, a.Port)
	}
	return fmt.Sprintf("%s:%d", a.Host, a.Port)
}

// remoteAnswered prints the server's answer to a request to listen.
func (p *Printer) remoteAnswered(what string, spec forward.Spec) {
	listen := strconv.Itoa(spec.Listen.Port)
	if spec.Listen.Socket != "" || spec.Listen.Host != "" || spec.Listen.EmptyHost {
		listen = listenText(spec.Listen, "")
	}
	p.Debugf("%s for: listen %s, connect %s", what, listen, targetText(spec))
}

// ClientForwardOpened prints, in the master, the server's answer to a client's
// request to listen.
func (p *Printer) ClientForwardOpened(spec forward.Spec, f *forward.Forward) {
	if spec.Kind != forward.Remote {
		return // the listeners have been named
	}
	asked := spec
	asked.Listen.Host, asked.Listen.EmptyHost = "", false // ssh leaves it out here
	p.remoteAnswered("mux_confirm_remote_forward: success", asked)
	if spec.Listen.Socket == "" && spec.Listen.Port == 0 {
		port := f.Spec().Listen.Port
		p.Debugf("Allocated port %d for mux remote forward to %s", port, targetText(spec))
		p.updatedPort(port, spec)
	}
}

// updatedPort prints the port that the server chose, in the words that ssh uses
// when it permits the port.
func (p *Printer) updatedPort(port int, spec forward.Spec) {
	host, to := targetHostPort(spec)
	p.Debugf("Updating allowed port %d for forwarding to host %s port %d", port, host, to)
}

// targetHostPort returns the two parts of targetText.
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

// socketPort is the port number that ssh prints for a Unix-domain socket.
const socketPort = -2

// ForwardEvent prints an event of a forwarding.
func (p *Printer) ForwardEvent(e forward.Event) {
	if p.Level() < sshconfig.LogDebug1 {
		return
	}
	switch e := e.(type) {
	case forward.ListenerOpened:
		p.listenerOpened(e)
	case forward.ListenerClosed:
		_, name := listenerNames(e.Addr)
		p.ChannelFreed(e.Channel, name, e.Open)
	case forward.ConnStarted:
		p.connStarted(e)
	case forward.ConnConnected:
		if e.Spec.Kind == forward.Remote {
			p.Debugf("confirm %s", remoteChannelType(e.Spec))
			p.Debugf("channel %d: connected to %s", e.Channel, addrText(e.Target))
		}
	case forward.ConnEnded:
		p.ChannelFreed(e.Channel, connName(e), e.Open)
	}
}

func (p *Printer) listenerOpened(e forward.ListenerOpened) {
	kind, name := listenerNames(e.Addr)
	if tcp, ok := e.Addr.(*net.TCPAddr); ok {
		p.Debugf("Local forwarding listening on %s port %d.", tcp.AddrPort().Addr().Unmap(), tcp.Port)
	} else {
		p.Debugf("Local forwarding listening on path %s.", e.Spec.Listen.Socket)
	}
	p.ChannelOpened(e.Channel, kind, name)
}

// listenerNames returns the type and the name that ssh gives to a listener's
// channel.
func listenerNames(at net.Addr) (kind, name string) {
	if at.Network() == "unix" {
		return "unix-listener", "unix listener"
	}
	return "port-listener", "port listener"
}

// connStarted prints that a connection was accepted here or on the server.
func (p *Printer) connStarted(e forward.ConnStarted) {
	if e.Spec.Kind != forward.Remote {
		host, port := targetHostPort(e.Spec)
		p.Debugf("Connection to port %d forwarding to %s port %d requested.", listeningPort(e.Spec), host, port)
		kind := directChannelType(e.Spec.Connect)
		if e.Spec.Kind == forward.Dynamic {
			kind = "dynamic-tcpip"
		}
		p.ChannelOpened(e.Channel, kind, kind)
		return
	}
	kind := remoteChannelType(e.Spec)
	p.Debugf("client_input_channel_open: ctype %s", kind)
	if e.Spec.Listen.Socket != "" {
		p.Debugf("client_request_forwarded_streamlocal: request: %.1000s", e.Spec.Listen.Socket)
		p.ChannelOpened(e.Channel, kind, "forwarded-streamlocal")
		return
	}
	p.Debugf("client_request_forwarded_tcpip: listen %s, originator %s", endText(e.Local), endText(e.Origin))
	host, _ := splitEnd(e.Origin)
	p.ChannelOpened(e.Channel, kind, host)
}

// connName returns what ssh calls a connection when it is freed.
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

// addrText returns a target as ssh prints it in the names of channels.
func addrText(a forward.Addr) string {
	if a.Socket != "" {
		return fmt.Sprintf("%s port %d", a.Socket, socketPort)
	}
	return fmt.Sprintf("%s port %d", a.Host, a.Port)
}

// splitEnd splits an address of a connection. Some addresses come from the
// server, so the result is bounded.
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

// directChannelType returns the type of a channel to a target (RFC 4254, section
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

// StdioRequested prints the start of -W.
func (p *Printer) StdioRequested(to forward.Addr) {
	p.Debugf("channel_connect_stdio_fwd: %s", listenText(to, ""))
}

// StdioEnded prints the end of -W. free returns the number of open channels.
func (p *Printer) StdioEnded(number int, to forward.Addr, free func() int, err error) {
	if err == nil {
		p.Debugf("stdio forwarding: done")
		return
	}
	p.ChannelFreed(number, fmt.Sprintf("direct-tcpip: listening port 0 for %s, connect from 127.0.0.1 port 65535 to UNKNOWN port 65536",
		addrText(to)), free())
}

// MasterChannel prints the start of a master's socket or of a client, and returns
// a function that prints its end.
func (p *Printer) MasterChannel(c mux.Channel) (freed func(open int)) {
	if c.Kind == "mux-control" {
		p.Debugf("multiplexing control connection")
	} else {
		p.Debugf("setting up multiplex master socket")
	}
	p.ChannelOpened(c.Number, c.Kind, c.Name)
	return func(open int) { p.ChannelFreed(c.Number, c.Name, open) }
}

// RequestingForward prints that a master is asked for a forwarding.
func (p *Printer) RequestingForward(spec forward.Spec) {
	p.Debugf("Requesting forwarding of %s", p.clientForward(spec))
}

// CancellingForward prints that a master is asked to end a forwarding.
func (p *Printer) CancellingForward(spec forward.Spec) {
	p.Debugf("Requesting cancellation of %s", p.clientForward(spec))
}

// clientForward returns a forwarding as ssh prints it when it asks a master.
func (p *Printer) clientForward(spec forward.Spec) string {
	where := "LOCALHOST"
	if p.Config.GatewayPorts && spec.Kind != forward.Remote {
		where = "*"
	}
	listen := listenText(spec.Listen, where)
	switch {
	case spec.Kind == forward.Dynamic:
		return "dynamic forward " + listen + " -> *"
	case spec.Kind == forward.Remote && spec.SOCKS():
		return "remote forward " + listen + " -> socks:0"
	case spec.Kind == forward.Remote:
		return "remote forward " + listen + " -> " + targetText(spec)
	}
	return "local forward " + listen + " -> " + targetText(spec)
}

// ChannelOpened prints the start of something for which ssh has a channel.
func (p *Printer) ChannelOpened(number int, kind, name string) {
	p.Debugf("channel %d: new %s [%s] (inactive timeout: %d)", number, kind, name, p.inactiveTimeout(kind))
}

// ChannelFreed prints the end of a channel. open is the number of open channels,
// this one included.
func (p *Printer) ChannelFreed(number int, name string, open int) {
	p.Debugf("channel %d: free: %s, nchannels %d", number, name, open)
}

// inactiveTimeout returns ChannelTimeout for a type, in seconds.
func (p *Printer) inactiveTimeout(kind string) int {
	for _, t := range p.Config.ChannelTimeout {
		if t.Matches(kind) {
			return int(t.Interval.Seconds())
		}
	}
	return 0
}
