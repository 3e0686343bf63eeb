package mux

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// The status of an INFO reply.
const (
	infoUnsupported = 0 // the text says that there is none of that name
	infoOK          = 1
)

// info answers -O conninfo, -O channels, and Client.Alive.
func (c *serverConn) info(m *infoMessage) error {
	s := c.s
	text := ""
	switch m.name {
	case "connection":
		if text = s.connectionText(); s.opts.ConnectionInfo != nil {
			text = s.opts.ConnectionInfo()
		}
	case "channels":
		text = s.channelsText()
	case extStatus:
		text = s.statusText()
	default:
		return c.write(&infoReplyMessage{m.id, infoUnsupported, "info request type not supported"})
	}
	return c.write(&infoReplyMessage{m.id, infoOK, text})
}

func (s *Server) connectionText() string {
	stats := s.conn.Stats()
	return fmt.Sprintf("Connection to %s: %v, last heard %v ago, received %d bytes, sent %d bytes\r\n",
		s.opts.Host, stats.State, time.Since(stats.LastHeard).Round(time.Millisecond), stats.BytesIn, stats.BytesOut)
}

// statusText is how the connection does, one "name value" to a line, times in
// microseconds. Names that a reader does not know are passed over.
func (s *Server) statusText() string {
	stats := s.conn.Stats()
	text := fmt.Sprintf("state %v\nsilence %d\nrtt %d\n", stats.State,
		time.Since(stats.LastHeard).Microseconds(), stats.SmoothedRTT.Microseconds())
	if r, ok := s.conn.(ReconnectingConn); ok {
		if o, ok := r.Outage(); ok {
			text += fmt.Sprintf("attempt %d\n", o.Attempt)
			if !o.Next.IsZero() {
				text += fmt.Sprintf("next %d\n", max(0, time.Until(o.Next).Microseconds()))
			}
		}
	}
	return text
}

// parseStatus reads statusText.
func parseStatus(text string, status *MasterStatus) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		number, err := strconv.ParseInt(value, 10, 64)
		switch {
		case name == "state":
			status.State = value
		case err != nil || number < 0 || number > int64(1<<62)/1000:
		case name == "silence":
			status.Silence, status.Known = time.Duration(number)*time.Microsecond, true
		case name == "rtt":
			status.RTT = time.Duration(number) * time.Microsecond
		case name == "attempt":
			status.Attempt = int(number)
		case name == "next":
			status.Next = time.Duration(number) * time.Microsecond
		}
	}
}

// channelLine is a line of -O channels.
type channelLine struct {
	number int
	text   string
}

// The types of channels that are listed, as OpenSSH numbers them.
const (
	channelOpening = 3
	channelOpen    = 4
	channelControl = 16
)

// channelsText lists what is open in the lines of OpenSSH 10.5, and then the
// forwardings, which that leaves out. It goes to a terminal: what clients or
// the server have chosen is made printable.
func (s *Server) channelsText() string {
	var lines []channelLine
	for _, c := range s.controls() {
		lines = append(lines, c.line())
	}
	for _, session := range s.Sessions() {
		lines = append(lines, session.line())
	}
	var listeners strings.Builder
	for _, f := range s.conn.Forwards().Forwards() {
		snapshot := f.Snapshot()
		fmt.Fprintf(&listeners, "  %v forward %q (%d accepted, %d failed)\r\n", snapshot.Spec.Kind, snapshot.Spec,
			snapshot.Accepted, snapshot.Failed)
		for _, conn := range snapshot.Conns {
			lines = append(lines, forwardedLine(snapshot.Spec, conn))
		}
	}
	if r, ok := s.conn.(ReconnectingConn); ok {
		for _, f := range r.PersistentForwards() {
			if f.Forward() == nil {
				fmt.Fprintf(&listeners, "  %v forward %q (not open at the moment)\r\n", f.Spec().Kind, f.Spec())
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b channelLine) int { return cmp.Compare(a.number, b.number) })
	var b strings.Builder
	b.WriteString("The following connections are open:\r\n")
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return b.String() + listeners.String()
}

// channelState is what stands in parentheses. What x/crypto does not tell is
// missing: the server's number of the channel (nr0) and what is in buffers.
type channelState struct {
	kind, extended     string
	typ                int
	in, out, err, sock int // descriptors, -1 for none
	control            int // the number of the client's line, -1 for none
	session            int // the number of the session's line, -1 for none
	mux, tty           bool
}

func (c channelState) line(number int, name string) channelLine {
	mux, session, traffic := "nm0", "nc0", "B"
	if c.mux {
		mux = "m0"
	}
	if c.session >= 0 {
		session = "c" + strconv.Itoa(c.session)
	}
	switch {
	case c.tty:
		traffic = "TI"
	case c.mux:
		traffic = "I"
	}
	return channelLine{number, fmt.Sprintf("  #%d %.300s (t%d [%s] nr0 %s i0/0 o0/0 e[%s]/0 fd %d/%d/%d sock %d cc %d %s io 0x01/0x00 %s)\r\n",
		number, printable(name), c.typ, printable(c.kind), mux, c.extended, c.in, c.out, c.err, c.sock, c.control, session, traffic)}
}

// printable quotes what could drive a terminal.
func printable(s string) string {
	q := strconv.QuoteToASCII(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// line returns the line of -O channels for a client.
func (c *serverConn) line() channelLine {
	fd := -1
	if raw, err := c.c.SyscallConn(); err == nil {
		raw.Control(func(n uintptr) { fd = int(n) })
	}
	state := channelState{typ: channelControl, kind: "mux-control", extended: "closed", mux: true,
		in: fd, out: fd, err: -1, sock: fd, control: -1, session: -1}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown != nil {
		state.session = int(c.shown.id)
	}
	return state.line(c.number, "mux-control")
}

// line returns the line of -O channels for a session or a stdio forwarding.
func (s *ServerSession) line() channelLine {
	s.mu.Lock()
	fds := [3]int{-1, -1, -1}
	copy(fds[:], s.fds)
	s.mu.Unlock()
	state := channelState{typ: channelOpen, extended: "write", in: fds[0], out: fds[1], err: fds[2], sock: -1,
		control: s.client.number, session: -1, tty: s.req.TTY}
	name := "client-session"
	switch {
	case s.cmd == nil:
		state.kind, state.extended = "stdio-forward", "closed"
		name = forwardName(s.target, 0, "127.0.0.1 port 65535", "UNKNOWN port 65536")
	case s.req.Subsystem:
		state.kind = "session:subsystem:" + s.req.Command
	case s.req.Command == "":
		state.kind = "session:shell"
	default:
		state.kind = "session:command"
	}
	return state.line(int(s.id), name)
}

// forwardedLine returns the line of -O channels for a forwarded connection.
func forwardedLine(spec forward.Spec, conn forward.ConnSnapshot) channelLine {
	state := channelState{typ: channelOpening, extended: "closed", in: -1, out: -1, err: -1, sock: -1, control: -1, session: -1}
	if conn.Open {
		state.typ = channelOpen
	}
	from, _ := hostPort(conn.From)
	if spec.Kind == forward.Remote {
		state.kind = "forwarded-tcpip"
		if spec.Listen.Socket != "" {
			state.kind, from = "forwarded-streamlocal@openssh.com", "forwarded-streamlocal"
		}
		return state.line(conn.Number, from)
	}
	target := spec.Connect
	state.kind = "direct-tcpip"
	switch {
	case spec.Kind == forward.Dynamic:
		state.kind = "dynamic-tcpip"
		host, port, _ := net.SplitHostPort(conn.Target)
		target.Host = host
		target.Port, _ = strconv.Atoi(port)
	case target.Socket != "":
		state.kind = "direct-streamlocal@openssh.com"
	}
	_, origin := hostPort(conn.From)
	_, local := hostPort(conn.Local)
	return state.line(conn.Number, forwardName(target, spec.Listen.Port, origin, local))
}

// forwardName is OpenSSH's name of a channel to target.
func forwardName(target forward.Addr, listening int, origin, local string) string {
	kind, host, port := "direct-tcpip", target.Host, target.Port
	if target.Socket != "" {
		kind, host, port = "direct-streamlocal@openssh.com", target.Socket, -2
	}
	return fmt.Sprintf("%s: listening port %d for %.100s port %d, connect from %s to %s", kind, listening, host, port, origin, local)
}

// hostPort words an address; the stand-ins are OpenSSH's for one that has none.
func hostPort(a net.Addr) (host, both string) {
	if a == nil {
		return "UNKNOWN", "UNKNOWN port 65536"
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return "127.0.0.1", "127.0.0.1 port 65535"
	}
	host = at.Addr().Unmap().String()
	return host, fmt.Sprintf("%s port %d", host, at.Port())
}
